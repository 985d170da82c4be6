/** Who is started: our artifact as it is deployed, and beside it what people do without us. Each has /var/task and /opt of its own. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sessionOptions, threadsFor } from '../../functions/predict/onnxruntime.js';
import { folderBytes } from '../../lib/artifact/folder-digest.js';
import { MANIFEST_FILE, type Manifest } from '../../lib/artifact/manifest.js';
import { onnxruntimeLayerFolder } from '../../lib/artifact/onnxruntime-package.js';
import { buildArtifact } from '../../lib/compiler/build.js';
import { encodeInferRequest } from '../../test/support/encode-infer-request.js';
import { HOST_ARCHITECTURE, httpEvent } from '../../test/support/predict-function.js';
import { pythonWith } from '../../test/support/python-environment.js';
import type { RuntimeClient } from '../../test/support/sandbox/sandbox.js';
import { type BenchModel, bytesOf, describeInputs } from './models.js';

export const SUBJECTS = {
  ours: 'ours',
  fp16: 'ours, fp16 storage',
  node: 'onnxruntime-node, plain',
  python: 'Python, plain',
  floor: 'floor',
} as const;

export interface Subject {
  readonly name: (typeof SUBJECTS)[keyof typeof SUBJECTS];
  readonly task: string;
  readonly opt: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Lambda's name. */
  readonly runtime: string;
  /** Default: Node.js with aws-lambda-ric. */
  readonly client?: RuntimeClient;
  readonly event: unknown;
  /** Before the outputs' bytes in an answer's body. */
  headerLength(headers: Readonly<Record<string, string>>): number;
  /** The model's files. */
  readonly modelBytes: number;
  /** The largest max|Δ| / max|y| of a correct answer. */
  readonly tolerance: number;
}

export interface SubjectOptions {
  readonly model: BenchModel;
  /** As `buildFunctions` writes it. */
  readonly functionFolder: string;
  /** Where the subjects are laid out; a folder of the model's own. */
  readonly parent: string;
}

export const PYTHON_REQUIREMENTS = ['awslambdaric==4.2.2', 'onnxruntime==1.30.0', 'numpy==2.4.6'];
const here = import.meta.dirname;
const modules = join(here, '../../node_modules');
const BINDING = '/opt/nodejs/node_modules/onnxruntime-node/onnxruntime_binding.node';
const NODE_RUNTIME = 'nodejs24.x';
const TOLERANCE = { fp32: 1e-3, fp16: 3e-2 };
const environment = { ORT_DISABLE_TELEMETRY: '1' };

/** The bundle, the runtime layer and the model's layer, as they are deployed. */
export async function ours(
  weights: 'fp32' | 'fp16',
  { model, functionFolder, parent }: SubjectOptions,
): Promise<Subject> {
  const { task, opt } = layOut(parent, `ours-${weights}`);
  copyTree(join(functionFolder, 'predict'), task);
  copyFileSync(join(here, 'clock.mjs'), join(task, 'clock.mjs'));
  copyTree(onnxruntimeLayerFolder(HOST_ARCHITECTURE), opt);
  const modelDirectory = join(parent, weights, model.name);
  copyTree(model.folder, modelDirectory);
  const configuration = { name: model.name, source: 'source.onnx', task: model.task, weights };
  writeFileSync(join(modelDirectory, 'model.json'), JSON.stringify(configuration));
  const artifact = join(opt, 'models', model.name);
  await buildArtifact({ modelDirectory, outputDirectory: artifact, architecture: HOST_ARCHITECTURE });
  const { text, binary } = encodeInferRequest({
    inputs: model.inputs.map((input) => ({ ...input, form: 'binary' as const })),
    outputForm: 'binary',
  });
  const document = Buffer.from(text);
  return {
    name: weights === 'fp32' ? SUBJECTS.ours : SUBJECTS.fp16,
    ...{ task, opt, runtime: NODE_RUNTIME },
    environment: { ...environment, CDK_ONNX_ARTIFACT: `/opt/models/${model.name}` },
    event: httpEvent({
      method: 'POST',
      path: `/v2/models/${model.name}/infer`,
      headers: { 'inference-header-content-length': String(document.length) },
      body: Buffer.concat([document, ...binary]),
    }),
    headerLength: (headers) => Number(headers['inference-header-content-length']),
    modelBytes: folderBytes(artifact),
    tolerance: TOLERANCE[weights],
  };
}

/** What everyone does: onnxruntime-node as published, but for the platforms that Lambda is not: with those it would not fit. */
export function plainNode({ model, parent }: SubjectOptions): Subject {
  const { task, opt } = layOut(parent, 'plain-node');
  const native = join('onnxruntime-node/bin/napi-v6/linux', process.arch);
  for (const name of ['onnxruntime-node/package.json', 'onnxruntime-node/dist', native, 'onnxruntime-common']) {
    copyTree(join(modules, name), join(task, 'node_modules', name));
  }
  copyFileSync(join(here, 'clock.mjs'), join(task, 'clock.mjs'));
  copyFileSync(join(here, 'plain-handler.mjs'), join(task, 'index.mjs'));
  return { name: SUBJECTS.node, runtime: NODE_RUNTIME, ...withInlineModel(model, task), task, opt };
}

/** The same in Python, under Lambda's runtime client for it. @throws Error where the packages cannot be installed */
export function plainPython({ model, parent }: SubjectOptions): Subject {
  const { task, opt } = layOut(parent, 'plain-python');
  const python = pythonWith(PYTHON_REQUIREMENTS);
  const ask = (expression: string) =>
    execFileSync(python, ['-c', `import os, sys, sysconfig; print(${expression})`], { encoding: 'utf8' }).trim();
  const packages = ask('sysconfig.get_path("purelib")');
  for (const name of readdirSync(packages)) {
    if (!/^(pip|setuptools)/.test(name)) copyTree(join(packages, name), join(opt, 'python', name));
  }
  for (const file of ['clock.py', 'plain_handler.py']) copyFileSync(join(here, file), join(task, file));
  const prefix = ask('sys.base_prefix');
  const described = withInlineModel(model, task);
  return {
    ...{ name: SUBJECTS.python, ...described, task, opt },
    runtime: `python${ask('"%d.%d" % sys.version_info[:2]')}`,
    environment: { ...environment, PYTHONPATH: '/opt/python', LD_LIBRARY_PATH: '/var/lang/lib' },
    client: {
      command: ['/var/lang/bin/python3', '-m', 'awslambdaric'],
      files: [
        [ask('os.path.realpath(sys.executable)'), '/var/lang/bin/python3'],
        [join(prefix, 'lib'), '/var/lang/lib'],
      ],
    },
  };
}

/** What no function can beat: the binding, the files of `subject`, one run. */
export function floor(subject: Subject, memoryMiB: number, { model, parent }: SubjectOptions): Subject {
  const { task } = layOut(parent, `floor-${memoryMiB}`);
  copyFileSync(join(here, 'clock.mjs'), join(task, 'clock.mjs'));
  copyFileSync(join(here, 'floor.mjs'), join(task, 'index.mjs'));
  const artifact = `models/${model.name}`;
  const manifest: Manifest = JSON.parse(readFileSync(join(subject.opt, artifact, MANIFEST_FILE), 'utf8'));
  const settings = {
    binding: BINDING,
    model: `/opt/${artifact}/${manifest.model}`,
    options: sessionOptions(manifest.session, threadsFor(String(memoryMiB))),
    inputs: describeInputs(model.inputs),
  };
  writeFileSync(join(task, 'floor.json'), JSON.stringify(settings));
  writeFileSync(join(task, 'inputs.bin'), bytesOf(model.inputs));
  return { ...subject, name: SUBJECTS.floor, task, environment, event: {}, headerLength: () => 0 };
}

function withInlineModel(model: BenchModel, task: string) {
  copyFileSync(model.source, join(task, 'model.onnx'));
  writeFileSync(join(task, 'inputs.json'), JSON.stringify(describeInputs(model.inputs)));
  return {
    environment,
    event: { body: bytesOf(model.inputs).toString('base64'), isBase64Encoded: true },
    headerLength: () => 0,
    modelBytes: folderBytes(dirname(model.source)),
    tolerance: TOLERANCE.fp32,
  };
}

function layOut(parent: string, name: string) {
  const layout = { task: join(parent, name, 'task'), opt: join(parent, name, 'opt') };
  for (const folder of Object.values(layout)) mkdirSync(folder, { recursive: true });
  return layout;
}

/** Copies, not links: other processes of this machine may hold the originals in memory. */
function copyTree(from: string, to: string): void {
  cpSync(from, to, { recursive: true, dereference: true });
}
