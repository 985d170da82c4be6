/** `cdk-onnx dev`: synthesizes the app for this machine and serves what it would deploy. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { MANIFEST_FILE, type Manifest } from '../artifact/manifest.js';
import { type LocalHost, startLocalHost } from '../local/local-host.js';
import { lambdaArchitecture } from '../local/opt-folder.js';
import type { Command } from './command.js';
import { curlLine, findPicture } from './curl-lines.js';
import { wholeNumber } from './option-values.js';
import { createProgress } from './progress.js';
import { synthesizeApp } from './synthesize-app.js';

const DEFAULT_PORT = 3000;
const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export const devCommand: Command = {
  name: 'dev',
  summary: 'Serves the app on this machine: what `cdk deploy` would deploy, on http://localhost:3000.',
  positionals: '',
  options: {
    assembly: {
      type: 'string',
      placeholder: 'DIR',
      description: 'serve this cloud assembly (default: synthesize the app of cdk.json for this machine)',
    },
    port: { type: 'string', placeholder: 'N', description: 'default: the variable PORT, else 3000' },
    concurrency: {
      type: 'string',
      placeholder: 'N',
      description: 'execution environments per function at most (default 10)',
    },
  },
  async run({ options, signal }) {
    const { assembly, port, concurrency } = options;
    return await dev({
      port: wholeNumber('--port', port ?? (process.env.PORT || DEFAULT_PORT), { min: 0, max: 65_535 }),
      signal,
      ...(typeof assembly === 'string' ? { assembly } : {}),
      ...(concurrency === undefined
        ? {}
        : { maxConcurrency: wholeNumber('--concurrency', concurrency, { min: 1, max: 1000 }) }),
    });
  },
};

export interface DevOptions {
  /** 0 takes any free one. */
  readonly port: number;
  /** Ends serving. */
  readonly signal: AbortSignal;
  /** A cloud assembly to serve as it is. Default: the app of cdk.json is synthesized for this machine. */
  readonly assembly?: string;
  /** Execution environments per function. Default 10. */
  readonly maxConcurrency?: number;
  /** The project's folder, with its cdk.json. Default: the working directory. */
  readonly project?: string;
  /** Where lines go. Default: stdout. */
  readonly print?: (line: string) => void;
}

/**
 * Serves until the signal fires.
 *
 * @returns the exit code 0
 * @throws the signal's reason when it fires before serving began; ConfigurationError for an app or an assembly that does not serve
 */
export async function dev(options: DevOptions): Promise<number> {
  const { port, signal, maxConcurrency, print = (line) => void process.stdout.write(`${line}\n`) } = options;
  const project = resolve(options.project ?? '.');
  const assembly = resolve(project, options.assembly ?? join('cdk.out', 'local'));
  if (options.assembly === undefined) await synthesize(project, assembly, signal);
  signal.throwIfAborted();
  const host = await startLocalHost({
    assembly,
    port,
    log: print,
    ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
  });
  // Under `npm start` a Ctrl-C arrives twice, from the terminal and from npm: the second one must not cut the cleaning up short.
  for (const name of STOP_SIGNALS) process.on(name, ignore);
  try {
    announce(host, project, assembly, print);
    if (!signal.aborted) await once(signal, 'abort');
    print('Stopping.');
  } finally {
    await host.close();
    for (const name of STOP_SIGNALS) process.off(name, ignore);
  }
  return 0;
}

function ignore(): void {}

async function synthesize(project: string, outputDirectory: string, signal: AbortSignal): Promise<void> {
  const architecture = lambdaArchitecture(process.arch);
  const progress = createProgress({ slow: 0 });
  progress.step(`Synthesizing the app for ${architecture}`);
  await synthesizeApp({ project, outputDirectory, architecture, signal, note: (line) => progress.note(`  ${line}`) });
  progress.done();
}

function announce(host: LocalHost, project: string, assembly: string, print: (line: string) => void): void {
  const { routes, functions } = host.service;
  print('');
  print(`Serving ${relative(project, assembly) || assembly} on ${host.url} (Ctrl-C stops it)`);
  print(
    `Functions run on Node.js ${process.versions.node}; on Lambda they run on ${[...new Set(functions.map(({ runtime }) => runtime))].join(', ')}.`,
  );
  const authorizations = new Set(routes.map((route) => route.authorization).filter((type) => type !== 'NONE'));
  for (const type of authorizations) {
    print(
      type === 'AWS_IAM'
        ? 'IAM authorization is not enforced here: requests need no signature, unlike on AWS.'
        : `Authorization (${type}) is not enforced here: requests need no token, unlike on AWS.`,
    );
  }
  const routers = functions.filter(({ environment }) => environment.CDK_ONNX_PREDICT_FUNCTION !== undefined);
  for (const { label } of routers) print(`${label}: Lambda answers alone, there is no SageMaker on this machine.`);
  print('');
  const manifests = functions.flatMap((localFunction) => {
    const manifest = readManifest(host.optFolder(localFunction), localFunction.environment.CDK_ONNX_ARTIFACT);
    return manifest === undefined ? [] : [manifest];
  });
  for (const { routeKey, rest } of routes) {
    const [method = '', path = ''] = routeKey.split(' ');
    // Routes with a parameter, a version say, do the same as those without it.
    if (path.includes('{')) continue;
    const manifest = manifests.find(({ name }) => path.split(/[/:]/).includes(name));
    const picture = manifest === undefined ? undefined : findPicture(project, manifest.name);
    const apiKeyRequired = rest?.apiKeyRequired ?? false;
    print(curlLine({ url: host.url, method, path, manifest, picture, apiKeyRequired }));
  }
  print('');
}

/** The manifest behind CDK_ONNX_ARTIFACT; undefined for a function that is not one of ours. */
function readManifest(optFolder: string, artifact: string | undefined): Manifest | undefined {
  if (artifact === undefined) return undefined;
  const file = join(optFolder, artifact.replace(/^\/opt\//, ''), MANIFEST_FILE);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Manifest) : undefined;
}
