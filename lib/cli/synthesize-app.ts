/** Runs a CDK app directly, as the CDK's command line does, in a third of its time. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ConfigurationError, SynthesisError } from '../errors.js';

export interface SynthesizeOptions {
  /** The folder with cdk.json. */
  readonly project: string;
  /** Where the cloud assembly goes. */
  readonly outputDirectory: string;
  /** Becomes the context `architecture` and `cdk-onnx:architecture`. Default: what the app says itself. */
  readonly architecture?: 'arm64' | 'x86_64';
  /** Kills the app. */
  readonly signal: AbortSignal;
  /** Each line that the app writes. */
  readonly note: (line: string) => void;
}

/** @throws ConfigurationError `CDK_JSON_NOT_FOUND`, `CDK_JSON_UNREADABLE`; SynthesisError `APP_FAILED` */
export async function synthesizeApp(options: SynthesizeOptions): Promise<void> {
  const { project, outputDirectory, architecture, signal, note } = options;
  const { app, context } = readProject(project);
  signal.throwIfAborted();
  const lines: string[] = [];
  const child = spawn(app, {
    shell: true,
    cwd: project,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      CDK_OUTDIR: outputDirectory,
      // Linting the template takes seconds; `cdk synth` does it before a deployment.
      CDK_VALIDATION: 'false',
      CDK_CONTEXT_JSON: JSON.stringify({
        ...context,
        ...(architecture === undefined ? {} : { architecture, 'cdk-onnx:architecture': architecture }),
        'aws:cdk:bundling-stacks': ['**'],
      }),
    },
    // A group of its own, so that the builds which the app starts can be stopped with it.
    detached: process.platform !== 'win32',
  });
  const kill = () => {
    try {
      if (child.pid !== undefined) process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  };
  signal.addEventListener('abort', kill, { once: true });
  process.once('exit', kill);
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      note(line);
    });
  }
  const outcome = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, killedBy) =>
      resolve(code === 0 ? undefined : killedBy === null ? `exit code ${code}` : `signal ${killedBy}`),
    );
  });
  signal.removeEventListener('abort', kill);
  process.off('exit', kill);
  signal.throwIfAborted();
  if (outcome === undefined) return;
  throw new SynthesisError({
    code: 'APP_FAILED',
    message: `The app '${app}' ended with ${outcome}.${lines.length === 0 ? '' : ' What it said is above.'}`,
    advice: 'Mend the app; `npx cdk synth` runs the same.',
  });
}

function readProject(project: string): { readonly app: string; readonly context: Record<string, unknown> } {
  const file = join(project, 'cdk.json');
  if (!existsSync(file)) {
    throw new ConfigurationError({
      code: 'CDK_JSON_NOT_FOUND',
      message: `There is no cdk.json in ${project}.`,
      advice: 'Run it in the folder of your CDK app, or serve a synthesized one with --assembly cdk.out.',
    });
  }
  const { app } = readJson(file);
  if (typeof app !== 'string' || app === '') {
    throw new ConfigurationError({
      code: 'CDK_JSON_UNREADABLE',
      message: `${file} names no app.`,
      advice: 'Add "app": "node --import tsx bin/app.ts" or whatever starts yours.',
    });
  }
  return { app, context: readContext(project) };
}

/**
 * What the files of a project say of its context; nothing where there is no project.
 *
 * @throws ConfigurationError `CDK_JSON_UNREADABLE`
 */
export function readContext(project: string): Record<string, unknown> {
  const read = (name: string): Record<string, unknown> => {
    const file = join(project, name);
    return existsSync(file) ? readJson(file) : {};
  };
  const { context } = read('cdk.json');
  return { ...read('cdk.context.json'), ...(isRecord(context) ? context : {}) };
}

function readJson(file: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (isRecord(json)) return json;
  } catch (cause) {
    throw new ConfigurationError({
      code: 'CDK_JSON_UNREADABLE',
      message: `${file} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      advice: 'Mend the file; comments and trailing commas are not JSON.',
      cause,
    });
  }
  throw new ConfigurationError({
    code: 'CDK_JSON_UNREADABLE',
    message: `${file} holds no JSON object.`,
    advice: 'Mend the file.',
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
