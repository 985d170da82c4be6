/** What a build does with the `optimize` section of model.json: it never searches, it does what the lock says. */

import { type ArchitectureLock, LOCK_FILE, type Lock } from '../../artifact/lock.js';
import type { Architecture, Manifest } from '../../artifact/manifest.js';
import { onnxruntimeVersion } from '../../artifact/onnxruntime-package.js';
import { toolVersion } from '../../artifact/package-root.js';
import type { NodeKey } from '../../artifact/recipe.js';
import { sourceDigest } from '../../artifact/source-content.js';
import { ArtifactError, ConfigurationError } from '../../errors.js';
import type { Model } from '../ir/model.js';
import { applyPlan } from '../quantize/apply-plan.js';
import { findNodes } from '../quantize/node-key.js';
import type { ModelFolder } from './configuration.js';
import { filesDigest, graphDigest, modelJsonDigest } from './lock-digests.js';
import { readLock } from './lock-files.js';
import { loadPlan } from './locked-plan.js';
import type { PreparedModel } from './prepare.js';

/** A lock that fits the source and model.json of a folder; whether it fits the graph is seen later. */
export interface ChosenLock {
  readonly lock: Lock;
  readonly architecture: Architecture;
  readonly locked: ArchitectureLock;
}

/** What a build did with a lock. */
export interface LockReport {
  readonly tool: string;
  readonly onnxruntime: string;
  /** Whether the artifact's files are those that were measured. */
  readonly asMeasured: boolean;
  /** Nodes that could not follow their recipe, with the reason. */
  readonly declined: readonly { readonly node: string; readonly reason: string }[];
  /** What a person should know. */
  readonly notes: readonly string[];
}

/**
 * The lock that a build of this folder follows; undefined without an `optimize` section.
 * @throws ConfigurationError LOCK_REQUIRED, LOCK_ARCHITECTURE, LOCK_STALE, LOCK_INVALID, LOCK_VERSION
 */
export async function chooseLock(folder: ModelFolder, architecture: Architecture): Promise<ChosenLock | undefined> {
  const { configuration, directory } = folder;
  if (configuration.optimize === undefined) return undefined;
  const lock = await readLock(directory);
  if (lock === undefined) {
    throw new ConfigurationError({
      code: 'LOCK_REQUIRED',
      message: `model.json of '${configuration.name}' has an optimize section, and there is no ${LOCK_FILE} that says how.`,
      advice: `Run \`cdk-onnx optimize ${directory}\` once and commit what it writes; or drop the section to ship the model in fp32.`,
    });
  }
  const stale = await staleness(folder, lock);
  if (stale !== undefined) throw staleLock(folder, stale, 'optimize');
  const locked = lock.architectures[architecture];
  if (locked === undefined) {
    const known = Object.keys(lock.architectures).join(', ') || 'none';
    throw new ConfigurationError({
      code: 'LOCK_ARCHITECTURE',
      message: `${LOCK_FILE} of '${configuration.name}' has no recipe for ${architecture} (it has: ${known}).`,
      advice: `Run \`cdk-onnx optimize ${directory} --architecture ${architecture}\`.`,
    });
  }
  return { lock, architecture, locked };
}

async function staleness({ configuration, source }: ModelFolder, { digests }: Lock): Promise<string | undefined> {
  if (digests.modelJson !== modelJsonDigest(configuration)) return 'inputs, task or optimize of its model.json changed';
  if (digests.source !== (await sourceDigest(source))) return 'its source changed';
  return undefined;
}

/**
 * Rewrites a prepared model as its lock says.
 * @throws ConfigurationError LOCK_STALE if the graph changed and a node with a recipe is no longer there
 */
export async function applyLock(
  prepared: PreparedModel,
  { lock, locked }: ChosenLock,
): Promise<Omit<LockReport, 'asMeasured'>> {
  const { model, directory } = prepared;
  const notes: string[] = [];
  if (graphDigest(model) !== lock.digests.normalizedGraph) {
    const lost = lostNodes(model, locked);
    if (lost.length > 0) {
      const named = lost.slice(0, 3).map(({ opType, output }) => `${opType} '${output}'`);
      const what = `its graph changed, and ${lost.length} nodes with a recipe are not in it any more (${named.join(', ')})`;
      throw staleLock(prepared, what, 'optimize', '--revalidate');
    }
    notes.push(
      `The normalized graph is not the one that was measured; every node with a recipe was found again. \`cdk-onnx optimize --revalidate\` measures it.`,
    );
  }
  const { declined } = await applyPlan(model, await loadPlan(directory, locked));
  return { tool: lock.tool, onnxruntime: lock.onnxruntime, declined, notes };
}

/** Nodes with a recipe that a graph does not have. */
export function lostNodes(model: Model, { recipes }: Pick<ArchitectureLock, 'recipes'>): NodeKey[] {
  const keys = recipes.map(({ node }) => node);
  const found = findNodes(model, keys);
  return keys.filter((_, index) => found[index] === undefined);
}

/**
 * Holds a finished artifact against what was measured.
 * @throws ArtifactError LOCK_MISMATCH where the same tool made other bytes of the same graph
 */
export function compareWithLock(
  manifest: Manifest,
  { lock, locked }: ChosenLock,
  report: Omit<LockReport, 'asMeasured'>,
): LockReport {
  const asMeasured = filesDigest(manifest.files) === locked.artifact.files;
  if (asMeasured || report.notes.length > 0) return { ...report, asMeasured };
  if (lock.tool === toolVersion().package && lock.onnxruntime === onnxruntimeVersion()) {
    throw new ArtifactError({
      code: 'LOCK_MISMATCH',
      message: `The artifact is not the one that ${LOCK_FILE} was measured with: its files have another digest.`,
      advice:
        'Restore the lock if it was edited; else run `cdk-onnx optimize --revalidate`, which measures the artifact anew without a search.',
    });
  }
  const note = `The lock is of cdk-onnx ${lock.tool}, whose artifact had other bytes. \`cdk-onnx optimize --revalidate\` measures this one.`;
  return { ...report, asMeasured, notes: [note] };
}

function staleLock({ configuration, directory }: ModelFolder, what: string, ...command: string[]): ConfigurationError {
  const [verb, ...flags] = command;
  return new ConfigurationError({
    code: 'LOCK_STALE',
    message: `${LOCK_FILE} of '${configuration.name}' is out of date: ${what}.`,
    advice: `Run \`${['cdk-onnx', verb, directory, ...flags].join(' ')}\`.`,
  });
}
