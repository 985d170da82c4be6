/** How long a request takes, from what `cdk-onnx optimize` measured of the model. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { LOCK_FILE, type Lock } from '../../artifact/lock.js';
import type { Architecture } from '../../artifact/manifest.js';
import { parseLock } from '../../artifact/schema.js';
import { formatLatency } from '../../artifact/units.js';

export interface Duration {
  readonly milliseconds: number;
  /** Where it comes from, for a person. */
  readonly basis: string;
}

/** One vCPU, which the measurement had. */
const ONE_VCPU_MB = 1769;
/** Of the handler beside the model: a small request of V2, read and answered. */
const HANDLER_MS = 3;
/** As `optimize` calls a run of the model that it chose. */
const RUN = 'chosen run';
const MAX_DEPTH = 5;

/** Of the lock in a model's folder; undefined where there is none, or none for this architecture. */
export function durationOfModel(
  folder: string,
  machine: { readonly architecture: Architecture; readonly memorySize: number },
): Duration | undefined {
  const file = join(folder, LOCK_FILE);
  return existsSync(file) ? durationOf(readLock(file), machine, relative('.', file)) : undefined;
}

/** Of the lock that made an artifact: one somewhere in the project that bears its digest. */
export function durationOfArtifact(
  project: string,
  contentHash: string,
  machine: { readonly architecture: Architecture; readonly memorySize: number },
): Duration | undefined {
  for (const file of lockFiles(project, MAX_DEPTH)) {
    const lock = readLock(file);
    if (lock.architectures[machine.architecture]?.artifact.contentHash !== contentHash) continue;
    return durationOf(lock, machine, relative(project, file));
  }
  return undefined;
}

function durationOf(
  { architectures }: Lock,
  { architecture, memorySize }: { readonly architecture: Architecture; readonly memorySize: number },
  file: string,
): Duration | undefined {
  const run = architectures[architecture]?.measured.find(({ metric, cpu }) => metric === RUN && cpu !== undefined);
  if (run === undefined) return undefined;
  const slower = Math.max(1, ONE_VCPU_MB / memorySize);
  const share = slower === 1 ? '' : ` at ${Math.round(100 / slower)} % of a vCPU`;
  return {
    milliseconds: run.value * slower + HANDLER_MS,
    basis: `${formatLatency(run.value)} of the model on ${run.cpu} by ${file}${share}, and ${HANDLER_MS} ms for a small request; what is really billed says \`cdk-onnx benchmark --function\``,
  };
}

function readLock(file: string): Lock {
  return parseLock(readFileSync(file, 'utf8'), file);
}

function lockFiles(folder: string, depth: number): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.flatMap((entry) => {
    if (entry.isFile() && entry.name === LOCK_FILE) return [join(folder, entry.name)];
    const isOurs = entry.isDirectory() && !/^(\.|node_modules$|cdk\.out)/.test(entry.name);
    return isOurs && depth > 0 ? lockFiles(join(folder, entry.name), depth - 1) : [];
  });
}
