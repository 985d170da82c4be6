/** A model as a CDK asset with local bundling: the command line builds it in a child process, at most once per content. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { AssetStaging, DockerImage, type ILocalBundling, Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { FileDigests } from '../artifact/file-digests.js';
import { packageRoot } from '../artifact/package-root.js';
import { TRITON_FILES, TRITON_FOLDER } from '../artifact/triton.js';
import { CdkOnnxError, type ErrorDetails, SynthesisError } from '../errors.js';
import type { StagedModel } from './model.js';
import { MODEL_JSON } from './model-description.js';
import { type BuildTarget, fingerprintDirectory, fingerprintFile } from './model-fingerprint.js';

/** The only variables that a build sees: enough to run, nothing secret. */
const BUILD_ENVIRONMENT = [
  'PATH',
  'HOME',
  'TMPDIR',
  'LANG',
  'XDG_CACHE_HOME',
  'USERPROFILE',
  'TEMP',
  'TMP',
  'SystemRoot',
];
const MAX_CLI_OUTPUT_BYTES = 64 * 1024 * 1024;

/** The folder of a model inside its layer, relative to /opt. */
export function layerPath(modelName: string): string {
  return `models/${modelName}`;
}

export function stageModelDirectory(
  scope: Construct,
  options: { readonly name: string; readonly directory: string; readonly target: BuildTarget },
): StagedModel {
  const { name, directory, target } = options;
  const digests = new FileDigests();
  const assetHash = fingerprintDirectory(directory, target, digests);
  digests.save();
  return stage(scope, name, directory, assetHash, (output) => runBuild(directory, output, target));
}

export function stageModelFile(
  scope: Construct,
  options: {
    readonly name: string;
    readonly file: string;
    readonly target: BuildTarget;
    readonly description: Readonly<Record<string, unknown>>;
  },
): StagedModel {
  const { name, file, target, description } = options;
  if (!existsSync(file)) {
    throw new SynthesisError({
      code: 'MODEL_FILE_NOT_FOUND',
      message: `There is no model file at ${file}.`,
      advice: `Paths are relative to the folder that the app runs in, ${process.cwd()}.`,
    });
  }
  const digests = new FileDigests();
  const assetHash = fingerprintFile(file, { name, ...description }, target, digests);
  digests.save();
  return stage(scope, name, dirname(file), assetHash, (output) => {
    const temporary = mkdtempSync(join(tmpdir(), 'cdk-onnx-model-'));
    try {
      const directory = join(temporary, name);
      mkdirSync(directory);
      writeFileSync(join(directory, MODEL_JSON), JSON.stringify({ name, source: file, ...description }));
      runBuild(directory, output, target);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  });
}

/** Stages what `fill` writes into `models/<name>`, unless the assembly already holds it. */
export function stage(
  scope: Construct,
  name: string,
  sourcePath: string,
  assetHash: string,
  fill: (folder: string) => void,
): StagedModel {
  let failure: unknown;
  const tryBundle = (outputDir: string): boolean => {
    try {
      const folder = join(outputDir, layerPath(name));
      mkdirSync(dirname(folder), { recursive: true });
      fill(folder);
      makeReadable(outputDir);
      return true;
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  // The asset's hash covers the bundling options as JSON: no path and no state may show in them.
  const local: ILocalBundling = Object.defineProperty({} as ILocalBundling, 'tryBundle', { value: tryBundle });
  let staging: AssetStaging;
  try {
    staging = new AssetStaging(scope, 'Stage', {
      sourcePath,
      assetHash,
      bundling: { image: DockerImage.fromRegistry('cdk-onnx-is-always-bundled-locally'), local },
    });
  } catch (error) {
    // AssetStaging turns what went wrong into a text; the coded error says more.
    throw failure instanceof CdkOnnxError ? failure : error;
  }
  const built = Stack.of(scope).bundlingRequired;
  return { staging, artifactFolder: built ? join(staging.absoluteStagedPath, layerPath(name)) : undefined };
}

/** Lambda runs functions under an account of its own, which must be able to read what a layer holds. */
function makeReadable(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) makeReadable(path);
    else if (entry.isFile()) chmodSync(path, 0o644);
  }
}

function runBuild(directory: string, output: string, target: BuildTarget): void {
  const cli = join(packageRoot(), 'bin', 'cdk-onnx.mjs');
  // A layer has no use for the variant for a GPU, and Triton for nothing else.
  const flags = target === 'gpu' ? ['--only-gpu'] : ['--architecture', target, '--skip-gpu'];
  const child = spawnSync(process.execPath, [cli, 'build', directory, '--out', output, ...flags, '--json'], {
    env: buildEnvironment(process.env),
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: MAX_CLI_OUTPUT_BYTES,
  });
  if (child.error === undefined && child.status === 0) {
    // Beside the artifact, not part of it.
    rmSync(join(output, 'report.json'), { force: true });
    if (target === 'gpu') keepArchive(output);
    return;
  }
  const outcome =
    child.error?.message ?? (child.signal === null ? `exit code ${child.status}` : `signal ${child.signal}`);
  throw new SynthesisError({
    ...buildFault(child.stderr ?? '', outcome, directory),
    cause: child.error,
  });
}

/** Of the variant for a GPU nothing is deployed but what is packed. */
function keepArchive(folder: string): void {
  for (const name of readdirSync(folder)) if (name !== TRITON_FOLDER) rmSync(join(folder, name), { recursive: true });
  for (const name of TRITON_FILES) renameSync(join(folder, TRITON_FOLDER, name), join(folder, name));
  rmSync(join(folder, TRITON_FOLDER), { recursive: true });
}

/** What the command line said went wrong: with `--json`, the last line of its stderr is an object. */
function buildFault(stderr: string, outcome: string, directory: string): ErrorDetails {
  const [last = ''] = stderr.trim().split('\n').slice(-1);
  try {
    const { error, code, advice } = JSON.parse(last) as Record<string, unknown>;
    if (typeof error === 'string' && typeof code === 'string') {
      return { code, message: `The model in ${directory} could not be built: ${error}`, advice: String(advice) };
    }
  } catch {
    // It died before it could explain itself.
  }
  return {
    code: 'MODEL_BUILD_FAILED',
    message: `The model in ${directory} could not be built (${outcome}):\n${stderr.trim()}`,
    advice: `Run \`npx cdk-onnx build ${directory} --out artifact\` to see the whole of it.`,
  };
}

/** The allow-list of a build's environment: a hostile model must not find credentials. */
export function buildEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const allowed = BUILD_ENVIRONMENT.flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(allowed), ORT_DISABLE_TELEMETRY: '1' };
}
