/** From a plan that was measured to the lock that builds follow. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalJson } from '../../artifact/digest.js';
import {
  type ArchitectureLock,
  LOCK_VERSION,
  LOCK_WEIGHTS_FILE,
  type Lock,
  type LockDigests,
  type Measurement,
} from '../../artifact/lock.js';
import type { Architecture, Manifest, SessionSettings } from '../../artifact/manifest.js';
import { onnxruntimeVersion } from '../../artifact/onnxruntime-package.js';
import { toolVersion } from '../../artifact/package-root.js';
import { buildArtifact } from '../build.js';
import { SafetensorsFile, type SafetensorsTensor } from '../formats/safetensors.js';
import type { QuantizationPlan } from '../quantize/plan.js';
import { filesDigest, inputDigests } from './lock-digests.js';
import { readLock, writeLock } from './lock-files.js';
import { storePlan } from './locked-plan.js';
import type { PreparedModel } from './prepare.js';

export interface LockPlanOptions {
  /** The model as the plan speaks of it: prepared, and not changed since. */
  readonly prepared: PreparedModel;
  readonly plan: QuantizationPlan;
  readonly session: SessionSettings;
  /** Each with what was measured for it. The others of a lock that is there stay, if they were made of the same. */
  readonly architectures: ReadonlyMap<Architecture, readonly Measurement[]>;
  /** By the data set's role. */
  readonly data: Readonly<Record<string, string>>;
  readonly onStep?: (name: string) => void;
  readonly signal?: AbortSignal;
}

export interface LockedPlan {
  readonly lock: Lock;
  /** Of the artifact that builds will make. */
  readonly manifest: Manifest;
  /** Architectures whose recipes were made of something else, and are gone. */
  readonly dropped: readonly Architecture[];
}

/** Builds the artifact once, to pin its digest, and writes the lock; nothing of it is left half-written. */
export async function lockPlan(options: LockPlanOptions): Promise<LockedPlan> {
  const { prepared, plan, session, architectures, data, signal } = options;
  const { directory } = prepared;
  const digests = { ...(await inputDigests(prepared)), data };
  const manifest = await buildOnce(options);
  const { locked, tensors } = storePlan(plan);
  const artifact = {
    contentHash: manifest.contentHash,
    files: filesDigest(manifest.files),
    bytes: manifest.files.reduce((sum, { bytes }) => sum + bytes, 0),
  };
  const entries = [...architectures].map(([name, measured]): [Architecture, ArchitectureLock] => [
    name,
    { ...locked, session, artifact, measured },
  ]);
  const basis = {
    lockVersion: LOCK_VERSION as typeof LOCK_VERSION,
    tool: toolVersion().package,
    onnxruntime: onnxruntimeVersion(),
    digests,
  };
  const others = await otherArchitectures(directory, new Set(architectures.keys()));
  const kept = others.lock !== undefined && sameBasis(others.lock, basis) ? others.entries : [];
  const stored = new Map([...(await storedTensors(directory, kept)), ...tensors]);
  signal?.throwIfAborted();
  const lock = await writeLock(
    directory,
    { ...basis, architectures: Object.fromEntries([...kept, ...entries]) },
    stored,
  );
  const dropped = kept.length > 0 ? [] : others.entries.map(([name]) => name);
  return { lock, manifest, dropped };
}

async function buildOnce({ prepared, plan, session, onStep, signal }: LockPlanOptions): Promise<Manifest> {
  const folder = await mkdtemp(join(tmpdir(), 'cdk-onnx-lock-'));
  try {
    const { manifest } = await buildArtifact({
      modelDirectory: prepared.directory,
      outputDirectory: join(folder, 'artifact'),
      // Decides nothing where a plan is given: the same bytes run on both.
      architecture: 'arm64',
      chosen: { plan, session },
      ...(onStep === undefined ? {} : { onStep }),
      ...(signal === undefined ? {} : { signal }),
    });
    return manifest;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type LockEntry = readonly [Architecture, ArchitectureLock];

/** What a lock that is there says of architectures that are not written now. One that cannot be read says nothing. */
async function otherArchitectures(
  directory: string,
  written: ReadonlySet<Architecture>,
): Promise<{ readonly lock: Lock | undefined; readonly entries: readonly LockEntry[] }> {
  const lock = await readLock(directory).catch(() => undefined);
  const entries = Object.entries(lock?.architectures ?? {}) as [Architecture, ArchitectureLock][];
  return { lock, entries: entries.filter(([name]) => !written.has(name)) };
}

type Basis = Pick<Lock, 'tool' | 'onnxruntime'> & { readonly digests: Omit<LockDigests, 'weights'> };

/** One set of digests and versions stands for all architectures of a lock. */
function sameBasis(one: Basis, other: Basis): boolean {
  const text = ({ tool, onnxruntime, digests }: Basis) => {
    const { source, normalizedGraph, modelJson, data } = digests;
    return canonicalJson({ tool, onnxruntime, source, normalizedGraph, modelJson, data });
  };
  return text(one) === text(other);
}

async function storedTensors(
  directory: string,
  entries: readonly LockEntry[],
): Promise<ReadonlyMap<string, SafetensorsTensor>> {
  const tensors = new Map<string, SafetensorsTensor>();
  const names = new Set(entries.flatMap(([, { weights }]) => weights.map(({ stored }) => stored)));
  if (names.size === 0) return tensors;
  await using file = await SafetensorsFile.open(join(directory, LOCK_WEIGHTS_FILE));
  for (const [name, entry] of file.entries) {
    if (names.has(name)) tensors.set(name, { ...entry, bytes: await file.read(entry) });
  }
  return tensors;
}
