import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyModel } from '../../../lib/compiler/ir/copy.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { Node } from '../../../lib/compiler/ir/node.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { validate } from '../../../lib/compiler/ir/validation.js';
import { Value } from '../../../lib/compiler/ir/value.js';
import { convertOpset, DEFAULT_OPSET } from '../../../lib/compiler/passes/convert-opset.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { normalize } from '../../../lib/compiler/passes/presets.js';
import { replaceWeights } from '../../../lib/compiler/passes/replace-weights.js';
import { unshareConstants } from '../../../lib/compiler/passes/unshare-constants.js';
import { type DependencyGraph, dependencyGraph } from '../../../lib/compiler/prune/dependency-graph.js';
import { pruningGroups } from '../../../lib/compiler/prune/groups.js';
import { constantsWithout } from '../../../lib/compiler/prune/remove-units.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { compareInFrontOfSigmoid } from '../../support/compare-in-front-of-sigmoid.js';
import { fromOrt, largestRelativeDifference, toOrtFeeds } from '../../support/compare-outputs.js';
import { prunableGraphs, typesByRunning } from '../../support/prunable-graph.js';
import { Choices } from '../../support/random-graph/choices.js';
import { randomGraphs } from '../../support/random-graph.js';
import { randomFloats } from '../../support/random-numbers.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { realModels } from '../../support/real-models.js';
import { runModel } from '../../support/run-model.js';
import { transformer } from '../../support/transformer.js';

type Feeds = Readonly<Record<string, Tensor>>;

/** A random choice of units, at least one of each group staying. */
function someUnits(graph: DependencyGraph, seed: number): Set<number> {
  const choices = new Choices(seed);
  const removed = new Set<number>();
  for (const { units } of pruningGroups(graph).groups) {
    const count = choices.integer(0, units.length - 1);
    for (const unit of choices.shuffled(units).slice(0, count)) removed.add(unit);
  }
  return removed;
}

/** Every weight that sums over removed units, with zeros for them. */
function zeroed(model: Model, graph: DependencyGraph, removed: ReadonlySet<number>): Model {
  const weights = new Map<string, Tensor>();
  for (const { value, axis, ids, role } of graph.uses) {
    const before = weights.get(value.name) ?? value.initializer;
    if (role !== 'sink' || before === undefined) continue;
    const numbers = Float32Array.from(before.numbers());
    const inner = before.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
    for (let index = 0; index < numbers.length; index++) {
      const id = ids[Math.floor(index / inner) % ids.length] ?? 0;
      if (removed.has(graph.units.find(id))) numbers[index] = 0;
    }
    weights.set(value.name, Tensor.fromTyped('float32', before.dims, numbers));
  }
  const copy = copyModel(model);
  replaceWeights(weights).run(copy);
  return copy;
}

/** Puts products with weights behind the float inputs and in front of the outputs, so that channels run through the whole graph. */
function betweenProducts(model: Model, feeds: Feeds): void {
  const { graph } = model;
  const weight = (rows: number, columns: number) => {
    const numbers = randomFloats(rows * columns, rows + columns);
    return graph.addInitializer(model.freshName('weight'), Tensor.fromTyped('float32', [rows, columns], numbers));
  };
  for (const input of graph.inputs) {
    const dims = feeds[input.name]?.dims ?? [];
    const width = dims.at(-1) ?? 0;
    if (input.elementType !== 'float32' || dims.length < 2 || width < 2 || input.isGraphOutput) continue;
    const product = new Value(model.freshName('product'), { kind: 'tensor', elementType: 'float32', shape: dims });
    input.replaceUsesInNodes(product);
    const node = new Node('MatMul', [input, weight(width, width)], [product]);
    graph.append(node);
    graph.nodes.unshift(...graph.nodes.splice(graph.nodes.indexOf(node), 1));
  }
  const outputs = graph.outputs.map((output) => {
    const width = output.staticShape?.at(-1) ?? 0;
    if (output.elementType !== 'float32' || (output.rank ?? 0) < 2 || width < 2) return output;
    const product = new Value(model.freshName('output'), { kind: 'tensor', elementType: 'float32', shape: undefined });
    graph.append(new Node('MatMul', [output, weight(width, 2)], [product]));
    return product;
  });
  graph.setOutputs(outputs);
}

interface Compared {
  readonly removed: number;
  readonly difference: number;
}

/** Removes units from `model`, which stays as it is, and compares with the same model with zeros in their place. */
async function compareRemoval(model: Model, feeds: Feeds, seed: number): Promise<Compared> {
  const prepared = copyModel(model);
  await runPasses(prepared, [unshareConstants()]);
  await typesByRunning(prepared, feeds);
  const graph = dependencyGraph(prepared);
  const removed = someUnits(graph, seed);
  if (removed.size === 0) return { removed: 0, difference: 0 };
  const expected = await runModel(modelToBytes(zeroed(prepared, graph, removed)), toOrtFeeds(feeds));
  // On the model as it was, shared constants and all: that is what a lock is applied to.
  const pruned = copyModel(model);
  await runPasses(pruned, [replaceWeights(constantsWithout(graph, removed))]);
  validate(pruned);
  const actual = await runModel(modelToBytes(pruned), toOrtFeeds(feeds));
  return { removed: removed.size, difference: largestRelativeDifference(actual, expected) };
}

describe('a model without some channels computes what it computes with zeros for them', () => {
  it('in random networks of residuals, concatenations, groups and heads', { timeout: 120_000 }, async () => {
    let pruned = 0;
    await fc.assert(
      fc.asyncProperty(prunableGraphs(), fc.nat({ max: 10_000 }), async (recipe, seed) => {
        const { model, feeds } = recipe.build();
        await runPasses(model, normalize());
        const { removed, difference } = await compareRemoval(model, feeds, seed);
        expect(difference).toBeLessThan(1e-5);
        if (removed > 0) pruned++;
      }),
      { seed: 1, numRuns: 150 },
    );
    expect(pruned).toBeGreaterThan(120);
  });

  it('in random graphs of any operators, with subgraphs and odd shapes', { timeout: 120_000 }, async () => {
    let pruned = 0;
    await fc.assert(
      fc.asyncProperty(randomGraphs({ maximumOperations: 24 }), fc.nat({ max: 10_000 }), async (recipe, seed) => {
        const { model, feeds } = recipe.build();
        await runPasses(model, [...normalize(), convertOpset(DEFAULT_OPSET)]);
        await typesByRunning(model, feeds);
        betweenProducts(model, feeds);
        const { removed, difference } = await compareRemoval(model, feeds, seed);
        expect(difference).toBeLessThan(1e-5);
        if (removed > 0) pruned++;
      }),
      { seed: 2, numRuns: 200 },
    );
    expect(pruned).toBeGreaterThan(10);
  });

  it.each(['blazefaceBack', 'ocrDetector', 'ocrAngleClassifier', 'ocrRecognizer'] as const)('in %s', async (name) => {
    const model = await readOnnx(realModels[name]);
    if (name === 'ocrDetector') compareInFrontOfSigmoid(model);
    await runPasses(model, [...normalize(), convertOpset(DEFAULT_OPSET)]);
    const feeds = Object.fromEntries(
      Object.entries(realModelFeeds(name)).map(([input, value]) => [input, fromOrt(value)]),
    );
    const { removed, difference } = await compareRemoval(model, feeds, 3);
    expect(removed).toBeGreaterThan(50);
    expect(difference).toBeLessThan(1e-4);
  });

  it('in a transformer, whose heads and feed-forward widths are groups', async () => {
    const model = transformer({ layers: 2, width: 32, heads: 4 });
    await runPasses(model, normalize());
    const data = new Float32Array(2 * 5 * 32).map((_, index) => Math.sin(index));
    const feeds = { x: Tensor.fromTyped('float32', [2, 5, 32], data) };
    const { removed, difference } = await compareRemoval(model, feeds, 4);
    expect(removed).toBeGreaterThan(10);
    expect(difference).toBeLessThan(1e-5);
  });
});
