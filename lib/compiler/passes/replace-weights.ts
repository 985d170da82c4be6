/**
 * Puts other constants in the place of a graph's, by name: weights that data changed, and those of pruned channels, which have other
 * dimensions. The graph is the normalized one that they were made for.
 */
import { ConfigurationError } from '../../errors.js';
import type { Model } from '../ir/model.js';
import type { Tensor } from '../ir/tensor.js';
import { forEachGraph } from '../ir/traversal.js';
import type { Value } from '../ir/value.js';
import { forgetComputedTypes } from './forget-computed-types.js';
import type { ImmediatePass } from './pass.js';
import { unshareConstants } from './unshare-constants.js';

/**
 * Names are those of the graph as it is, and where one is unknown or its dimensions differ, those after `unshareConstants`. A convolution
 * in groups whose weights have fewer or more output channels (ConvTranspose: input channels) has as many groups fewer or more: only whole
 * groups are ever taken out. Where dimensions changed, what was known of the computed values' types is forgotten: infer them again.
 * Constants stay apart afterwards, so that further weights find them by name: `deduplicateInitializers` comes last.
 * @throws ConfigurationError PLAN_WEIGHT for a name that the graph does not have or has twice, and for another element type or rank
 */
export function replaceWeights(weights: ReadonlyMap<string, Tensor>): ImmediatePass {
  return {
    name: 'replace-weights',
    run(model) {
      if (weights.size === 0) return { modified: false };
      const later = replaceSameSize(model, weights);
      if (later.length > 0) replaceOtherSize(model, later);
      return { modified: true };
    },
  };
}

type Entry = readonly [name: string, tensor: Tensor];

function replaceSameSize(model: Model, weights: ReadonlyMap<string, Tensor>): Entry[] {
  const known = initializersByName(model);
  const later: Entry[] = [];
  for (const [name, tensor] of weights) {
    const values = known.get(name) ?? [];
    const [value] = values;
    const isSame = values.length === 1 && String(value?.initializer?.dims) === String(tensor.dims);
    if (value === undefined || !isSame) later.push([name, tensor]);
    else replace(value, tensor);
  }
  return later;
}

function replaceOtherSize(model: Model, entries: readonly Entry[]): void {
  unshareConstants().run(model);
  const known = initializersByName(model);
  for (const [name, tensor] of entries) {
    const values = known.get(name) ?? [];
    const [value] = values;
    if (value === undefined || values.length > 1) {
      throw planWeight(`The plan changes the weight '${name}', of which the model has ${values.length}.`);
    }
    const before = value.initializer?.dims[0] ?? 1;
    replace(value, tensor);
    adaptGroups(value, before, tensor.dims[0] ?? 1);
  }
  // Channels may be gone: what was known of computed shapes does not hold any more.
  forgetComputedTypes().run(model);
}

function replace(value: Value, tensor: Tensor): void {
  const before = value.initializer;
  if (before?.elementType !== tensor.elementType || before.dims.length !== tensor.dims.length) {
    const say = (it: Tensor | undefined) => `${it?.elementType}[${it?.dims.join(', ')}]`;
    throw planWeight(`The plan changes the weight '${value.name}' from ${say(before)} to ${say(tensor)}.`);
  }
  value.initializer = tensor;
  value.type = { kind: 'tensor', elementType: tensor.elementType, shape: tensor.dims };
  value.origin = undefined;
}

function adaptGroups(value: Value, before: number, after: number): void {
  if (before === after) return;
  for (const use of value.uses) {
    if (use.kind !== 'input' || use.index !== 1 || !use.node.is('Conv', 'ConvTranspose')) continue;
    const groups = use.node.int('group', 1);
    if (groups > 1) use.node.attributes.set('group', { kind: 'int', value: BigInt((groups * after) / before) });
  }
}

function initializersByName(model: Model): Map<string, Value[]> {
  const byName = new Map<string, Value[]>();
  forEachGraph(model.graph, (graph) => {
    for (const value of graph.initializers) {
      const alike = byName.get(value.name);
      if (alike === undefined) byName.set(value.name, [value]);
      else alike.push(value);
    }
  });
  return byName;
}

function planWeight(message: string): ConfigurationError {
  return new ConfigurationError({
    code: 'PLAN_WEIGHT',
    message,
    advice: 'The plan or lock was made for another model: run `cdk-onnx optimize` again.',
  });
}
