/** A project as a user has it, with the CDK's command line, unmodified, and an emulator for its account. */
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MINISTACK_REGION, MINISTACK_ROOT, type MiniStack } from './ministack.js';

const ROOT = join(import.meta.dirname, '..', '..');
const CDK = join(ROOT, 'node_modules', 'aws-cdk', 'bin', 'cdk');
const OUTPUTS = 'outputs.json';

export interface CdkResult {
  /** Exit code. */
  readonly status: number | null;
  /** stdout and stderr. */
  readonly output: string;
}

export interface CdkProject {
  /** The cloud assembly of the last synth. */
  readonly assembly: string;
  /** Runs `cdk` with these arguments, in the project. */
  cdk(...args: readonly string[]): Promise<CdkResult>;
  /** `cdk deploy` of one stack. @param app the command that makes the assembly; default: that of cdk.json */
  deploy(stack: string, app?: string, ...args: readonly string[]): Promise<CdkResult>;
  /** The only output of a stack that says where an endpoint is. */
  url(stack: string): string;
  /** Changes keys of a model's model.json; undefined removes one. */
  editModel(name: string, changes: Readonly<Record<string, unknown>>): void;
  /** Adds a folder models/<name>, and returns its path. */
  addModel(name: string): string;
  remove(): void;
}

/** The example of this repository: its app, its cdk.json and its models, copied where they change. */
export function createCdkProject(ministack: MiniStack): CdkProject {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-project-'));
  const project = join(folder, 'project');
  const home = join(folder, 'home');
  mkdirSync(project);
  mkdirSync(home);
  copyFileSync(join(ROOT, 'cdk.json'), join(project, 'cdk.json'));
  cpSync(join(ROOT, 'models'), join(project, 'models'), { recursive: true });
  for (const name of ['bin', 'node_modules']) symlinkSync(join(ROOT, name), join(project, name));
  const cdk = (...args: readonly string[]): Promise<CdkResult> =>
    run(process.execPath, [CDK, ...args, `--context=architecture=${hostArchitecture()}`, '--no-notices'], project, {
      PATH: process.env.PATH,
      HOME: home,
      TMPDIR: home,
      AWS_ENDPOINT_URL: ministack.endpoint,
      AWS_ENDPOINT_URL_S3_FOR_CLOUDFORMATION: ministack.endpoint,
      AWS_ACCESS_KEY_ID: MINISTACK_ROOT.accessKeyId,
      AWS_SECRET_ACCESS_KEY: MINISTACK_ROOT.secretAccessKey,
      AWS_REGION: MINISTACK_REGION,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
      CDK_DISABLE_CLI_TELEMETRY: 'true',
      // Linting templates takes seconds, and other tests do it.
      CDK_VALIDATION: 'false',
      CI: 'true',
    });
  return {
    assembly: join(project, 'cdk.out'),
    cdk,
    deploy: (stack, app, ...args) =>
      cdk(
        'deploy',
        stack,
        '--require-approval=never',
        `--outputs-file=${OUTPUTS}`,
        ...(app === undefined ? [] : [`--app=${app}`]),
        ...args,
      ),
    url(stack) {
      const outputs = JSON.parse(readFileSync(join(project, OUTPUTS), 'utf8')) as Record<
        string,
        Record<string, string>
      >;
      const [url, ...others] = Object.entries(outputs[stack] ?? {}).flatMap(([name, value]) =>
        name.includes('Url') ? [value] : [],
      );
      if (url === undefined || others.length > 0) throw new Error(`${stack} has outputs ${JSON.stringify(outputs)}`);
      return url;
    },
    editModel(name, changes) {
      const file = join(project, 'models', name, 'model.json');
      const description = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
      writeFileSync(file, JSON.stringify({ ...description, ...changes }, undefined, 2));
    },
    addModel(name) {
      const model = join(project, 'models', name);
      mkdirSync(model);
      return model;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** As AWS names it: functions run on this machine. */
function hostArchitecture(): string {
  return process.arch === 'arm64' ? 'arm64' : 'x86_64';
}

function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<CdkResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(String(chunk)));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output: output.join('') }));
  });
}
