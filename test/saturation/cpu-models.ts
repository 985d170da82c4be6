/**
 * The CPUs that Lambda may give a function, emulated: x86-64 without VNNI, where products of uint8 and int8 saturate, and arm64. Each runs
 * the library of the layer for its architecture, in the Node.js that Lambda has.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onnxruntimeLayerFolder } from '../../lib/artifact/onnxruntime-package.js';
import type { RuntimeTensor } from '../../lib/compiler/runtime/session.js';
import { NODE24 } from '../support/node24.js';
import {
  graviton,
  GRAVITON_SKIPPED as LACKS_GRAVITON,
  GRAVITON_NOTE as LACKS_GRAVITON_NOTE,
} from '../support/sandbox/graviton.js';
import { finds } from '../support/sandbox/sandbox.js';

export type Tensors = Readonly<Record<string, RuntimeTensor>>;

export interface ModelRuns {
  readonly model: Uint8Array;
  readonly feeds: readonly Tensors[];
}

/** The command in front of a script, for an emulated CPU. */
export interface CpuModel {
  readonly command: readonly string[];
  readonly architecture: 'x86_64' | 'arm64';
}

const EMULATOR = 'qemu-x86_64';
const needs: [string, boolean][] = [
  ['qemu-x86_64 (Debian: apt install qemu-user)', finds(EMULATOR)],
  ['an x86-64 host', process.arch === 'x64'],
  ['NODE24, the path of a Node.js 24', NODE24 !== undefined],
];
const lacks = needs.filter(([, isThere]) => !isThere).map(([name]) => name);
export const HASWELL_SKIPPED = lacks.length > 0 && process.env.CI !== 'true';
/** For the title of a suite. */
export const HASWELL_NOTE = HASWELL_SKIPPED ? ` (skipped: needs ${lacks.join(', ')})` : '';

const lacksBubblewrap = !finds('bwrap');
export const GRAVITON_SKIPPED = (LACKS_GRAVITON || lacksBubblewrap) && process.env.CI !== 'true';
export const GRAVITON_NOTE = lacksBubblewrap
  ? ' (skipped: needs bubblewrap (Debian: apt install bubblewrap))'
  : LACKS_GRAVITON_NOTE;

/** AVX2 without VNNI. @throws Error naming what this machine lacks */
export function haswell(): CpuModel {
  if (lacks.length > 0 || NODE24 === undefined) throw new Error(`skipped: needs ${lacks.join(', ')}`);
  return { command: [EMULATOR, '-cpu', 'Haswell', NODE24], architecture: 'x86_64' };
}

/** A Graviton2. @throws Error naming what this machine lacks */
export function gravitonCpu(): CpuModel {
  const { command, node, files } = graviton();
  // Only /proc/cpuinfo is not where the emulator looks for it: the host's own is there.
  const [from, to] = files.find(([, path]) => path === '/proc/cpuinfo') ?? [];
  if (from === undefined || to === undefined) throw new TypeError('an emulated Graviton has a cpuinfo of its own');
  const mounts = ['--dev-bind', '/', '/', '--ro-bind', from, to, '--die-with-parent'];
  return { command: ['bwrap', ...mounts, ...command, node], architecture: 'arm64' };
}

/** Runs a script of plain JavaScript on an emulated CPU. */
export async function runScript(cpu: CpuModel, script: string, ...parameters: readonly string[]): Promise<string> {
  const [program = '', ...parts] = cpu.command;
  const options = { env: { PATH: process.env.PATH, ORT_DISABLE_TELEMETRY: '1' }, maxBuffer: 1 << 24 };
  const { stdout } = await promisify(execFile)(program, [...parts, script, ...parameters], options);
  return stdout;
}

/** What models answer on an emulated CPU: for each model, for each of its runs, tensors by name. */
export async function runOn(cpu: CpuModel, models: readonly ModelRuns[]): Promise<Tensors[][]> {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-emulated-'));
  try {
    const job = models.map(({ model, feeds }, index) => {
      const path = join(folder, `${index}.onnx`);
      writeFileSync(path, model);
      return { model: path, runs: feeds.map((tensors) => mapValues(tensors, encode)) };
    });
    const jobFile = join(folder, 'job.json');
    writeFileSync(jobFile, JSON.stringify(job));
    const library = join(onnxruntimeLayerFolder(cpu.architecture), 'nodejs/node_modules/onnxruntime-node');
    await runScript(cpu, join(import.meta.dirname, 'run-models.mjs'), library, jobFile);
    const answers = JSON.parse(readFileSync(`${jobFile}.answers`, 'utf8')) as Record<string, Encoded>[][];
    return answers.map((runs) => runs.map((outputs) => mapValues(outputs, decode)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Encoded {
  readonly dataType: RuntimeTensor['dataType'];
  readonly dims: readonly number[];
  readonly data: string;
}

const ARRAYS = { float32: Float32Array, uint8: Uint8Array, int8: Int8Array, int32: Int32Array } as const;

function encode({ dataType, dims, data }: RuntimeTensor): Encoded {
  if (!ArrayBuffer.isView(data)) throw new TypeError('texts cannot be sent to an emulated CPU');
  return { dataType, dims, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64') };
}

function decode({ dataType, dims, data }: Encoded): RuntimeTensor {
  const bytes = new Uint8Array(Buffer.from(data, 'base64'));
  const Elements = ARRAYS[dataType as keyof typeof ARRAYS];
  if (Elements === undefined) throw new TypeError(`${dataType} cannot be read back from an emulated CPU`);
  return { dataType, dims, data: new Elements(bytes.buffer) };
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
