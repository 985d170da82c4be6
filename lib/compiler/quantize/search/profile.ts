/** What each unit takes of a run under a recipe, as onnxruntime's profiler tells it of the graph that it really runs. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SessionSettings } from '../../../artifact/manifest.js';
import type { Feeds } from '../../data/data-set.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import { openSession } from '../../runtime/session.js';
import type { QuantizationPlan } from '../plan.js';
import { writeCandidate } from './candidate-file.js';
import { median } from './timing.js';
import { nodesWithClamps, type Unit } from './units.js';

export interface Profile {
  /** Milliseconds of a warm run, by unit; what belongs to none is left out. */
  readonly run: ReadonlyMap<number, number>;
  /** Of the whole: milliseconds of a warm run, and of opening with the first run. */
  readonly total: number;
  readonly cold: number;
}

const WARM_UP_RUNS = 3;
const RUNS = 12;

export interface ProfileOptions {
  readonly model: Model;
  readonly units: readonly Unit[];
  readonly feeds: Feeds;
  readonly settings: SessionSettings;
  readonly signal: AbortSignal;
}

export async function profilePlan(plan: QuantizationPlan, options: ProfileOptions): Promise<Profile> {
  const { model, units, feeds, settings, signal } = options;
  const folder = await mkdtemp(join(tmpdir(), 'cdk-onnx-profile-'));
  try {
    let unitOfOutput: ReadonlyMap<string, number> = new Map();
    await using file = await writeCandidate(model, plan, {
      stripNames: false,
      change: (changed) => {
        unitOfOutput = tagNodes(changed, units);
      },
    });
    await using session = await openSession(file.path, {
      settings,
      signal,
      profileFilePrefix: join(folder, 'profile'),
    });
    const runs: number[] = [];
    for (let run = 0; run < WARM_UP_RUNS + RUNS; run++) runs.push((await session.run(feeds)).milliseconds);
    await session.endProfile();
    const [name] = await readdir(folder);
    const times = name === undefined ? [] : kernelTimes(await readFile(join(folder, name), 'utf8'));
    return {
      run: unitTimes(times, unitOfOutput),
      total: median(runs.slice(WARM_UP_RUNS)),
      cold: session.openMilliseconds + (runs[0] ?? 0),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const TAG = /^u(\d+)_/;
const KERNEL = /_kernel_time$/;

/** What onnxruntime names a convolution after that it moves to its own layout: the output, not the node. */
const NCHWC = /_nchwc$/;

/**
 * Names that fused operators keep the beginning of: whose outputs a node helps to compute.
 * @returns the unit by the name of what its nodes return
 */
function tagNodes(model: Model, units: readonly Unit[]): ReadonlyMap<string, number> {
  const unitOf = new Map(
    units.flatMap((unit) =>
      nodesWithClamps(unit).flatMap(({ outputs }) =>
        outputs.flatMap((value) => (value === undefined ? [] : [[value.name, unit.index] as const])),
      ),
    ),
  );
  const tags = new Map<Node, number>();
  const { nodes } = model.graph;
  // From the end: a node without a known output belongs to the first of those that read it.
  for (const [index, node] of [...nodes.entries()].reverse()) {
    const own = node.outputs.map((value) => (value === undefined ? undefined : unitOf.get(value.name)));
    const readers = node.outputs.flatMap((value) => value?.consumers ?? []).map((reader) => tags.get(reader));
    const tag = [...own, ...readers].find((found) => found !== undefined);
    if (tag !== undefined) tags.set(node, tag);
    node.name = tag === undefined ? `n${index}_` : `u${tag}_${index}_`;
  }
  const outputs = new Map<string, number>();
  for (const [node, tag] of tags)
    for (const value of node.outputs) if (value !== undefined) outputs.set(value.name, tag);
  return outputs;
}

interface KernelTime {
  readonly name: string;
  readonly microseconds: number;
}

/** The profile is what onnxruntime wrote a moment ago; it is read with care all the same, for its names come from the model. */
function kernelTimes(text: string): KernelTime[] {
  const events: unknown = JSON.parse(text);
  if (!Array.isArray(events)) return [];
  return events.flatMap((event: unknown): KernelTime[] => {
    if (typeof event !== 'object' || event === null || !('name' in event) || !('dur' in event)) return [];
    const { name, dur } = event;
    if (typeof name !== 'string' || typeof dur !== 'number' || !KERNEL.test(name)) return [];
    return [{ name, microseconds: dur }];
  });
}

/** Of each kernel the median of its warm runs, summed over the unit's kernels. */
function unitTimes(times: readonly KernelTime[], unitOfOutput: ReadonlyMap<string, number>): Map<number, number> {
  const byKernel = new Map<string, number[]>();
  for (const { name, microseconds } of times) byKernel.set(name, [...(byKernel.get(name) ?? []), microseconds]);
  const sums = new Map<number, number>();
  for (const [name, all] of byKernel) {
    const tag = TAG.exec(name)?.[1];
    const unit = tag === undefined ? unitOfOutput.get(name.replace(KERNEL, '').replace(NCHWC, '')) : Number(tag);
    if (unit === undefined) continue;
    sums.set(unit, (sums.get(unit) ?? 0) + median(all.slice(Math.min(WARM_UP_RUNS, all.length - 1))) / 1000);
  }
  return sums;
}
