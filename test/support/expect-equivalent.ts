/** What every rewrite of a graph has to hold to, on models that fast-check makes up and on real ones. */
import fc from 'fast-check';
import type { OnnxValue } from 'onnxruntime-node';
import type { Model } from '../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { validate } from '../../lib/compiler/ir/validation.js';
import { type Pass, type PassesResult, type PassLoop, runPasses } from '../../lib/compiler/passes/pass.js';
import { expectEqualOutputs, largestRelativeDifference, toOrtFeeds } from './compare-outputs.js';
import { type RandomGraphOptions, randomGraphs } from './random-graph.js';
import { runModel } from './run-model.js';

export interface EquivalenceOptions {
  /** Default 0: bit for bit. */
  readonly tolerance?: number;
  /** Inputs that the rewritten model does not have any more. */
  readonly removedInputs?: readonly string[];
}

/**
 * Rewrites `model` in place and compares what it returns before and after, node by node as the files say. The result must be valid, and a
 * rewrite that says it changed nothing must have changed nothing.
 */
export async function expectEquivalent(
  model: Model,
  passes: readonly (Pass | PassLoop)[],
  feeds: Readonly<Record<string, OnnxValue>>,
  options: EquivalenceOptions = {},
): Promise<PassesResult> {
  const before = modelToBytes(model);
  const expected = await runModel(before, feeds);
  const result = await runPasses(model, passes);
  validate(model);
  const after = modelToBytes(model);
  if (result.modified.length === 0 && Buffer.compare(before, after) !== 0)
    throw new Error('it changed the model and says it did not');
  const removed = new Set(options.removedInputs);
  const remaining = Object.fromEntries(Object.entries(feeds).filter(([name]) => !removed.has(name)));
  const actual = await runModel(after, remaining);
  if (options.tolerance === undefined) expectEqualOutputs(actual, expected);
  else {
    const found = largestRelativeDifference(actual, expected);
    if (!(found <= options.tolerance)) throw new Error(`outputs differ by ${found}, more than ${options.tolerance}`);
  }
  return result;
}

export interface PropertyOptions extends EquivalenceOptions, RandomGraphOptions {
  /** Default 100. */
  readonly runs?: number;
  /** Default 1; fast-check prints it with a counterexample. */
  readonly seed?: number;
}

/** `expectEquivalent` on random graphs; at least one in twenty must have been changed, else the property says nothing. */
export async function expectEquivalentOnRandomGraphs(
  passes: readonly (Pass | PassLoop)[],
  options: PropertyOptions = {},
): Promise<void> {
  const runs = options.runs ?? 100;
  let changed = 0;
  await fc.assert(
    fc.asyncProperty(randomGraphs(options), async (recipe) => {
      const { model, feeds } = recipe.build();
      const { modified } = await expectEquivalent(model, passes, toOrtFeeds(feeds), options);
      if (modified.length > 0) changed++;
    }),
    { seed: options.seed ?? 1, numRuns: runs },
  );
  if (changed < runs / 20) throw new Error(`only ${changed} of ${runs} random graphs were changed`);
}
