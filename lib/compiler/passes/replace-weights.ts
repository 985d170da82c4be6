/**
 * Puts other constants in the place of a graph's, by name: weights that data changed, and those of pruned channels, which have other
 * dimensions. The graph is the normalized one that they were made for.
 */
import { GraphError } from '../../errors.js';
import type { Model } from '../ir/model.js';
import type { Tensor } from '../ir/tensor.js';
import type { Value } from '../ir/value.js';
import { forgetComputedTypes } from './forget-computed-types.js';
import type { ImmediatePass } from './pass.js';
import { initializersByName, unshareConstants } from './unshare-constants.js';

/**
 * Names are those of the graph as it is, and where one is unknown or its dimensions differ, those after `unshareConstants`. A convolution
 * in groups whose weights have fewer or more output channels (ConvTranspose: input channels) has as many groups fewer or more: only whole
 * groups are ever taken out. Where dimensions changed, what was known of the computed values' types is forgotten: infer them again.
 * Constants stay apart afterwards, so that further weights find them by name: `deduplicateInitializers` comes last.
 * @throws GraphError WEIGHT_UNKNOWN for a name that the graph does not have, WEIGHT_MISMATCH for another element type or rank
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
  const known = initializersByName(model.graph);
  const later: Entry[] = [];
  for (const [name, tensor] of weights) {
    const value = known.get(name);
    const before = value?.initializer;
    if (value === undefined || before === undefined || String(before.dims) !== String(tensor.dims)) {
      later.push([name, tensor]);
    } else replace(value, before, tensor);
  }
  return later;
}

function replaceOtherSize(model: Model, entries: readonly Entry[]): void {
  unshareConstants().run(model);
  const known = initializersByName(model.graph);
  for (const [name, tensor] of entries) {
    const value = known.get(name);
    const before = value?.initializer;
    if (value === undefined || before === undefined) {
      throw new GraphError({
        code: 'WEIGHT_UNKNOWN',
        message: `There are new weights for '${name}', which the graph does not have.`,
        advice: 'The weights were made for another graph. Run `cdk-onnx optimize` again.',
      });
    }
    replace(value, before, tensor);
    adaptGroups(value, before, tensor);
  }
  forgetComputedTypes().run(model);
}

function replace(value: Value, before: Tensor, tensor: Tensor): void {
  if (before.elementType !== tensor.elementType || before.dims.length !== tensor.dims.length) {
    const say = ({ elementType, dims }: Tensor) => `${elementType}[${dims.join(', ')}]`;
    throw new GraphError({
      code: 'WEIGHT_MISMATCH',
      message: `The new weights of '${value.name}' are ${say(tensor)}, the graph's are ${say(before)}.`,
      advice: 'The weights were made for another graph. Run `cdk-onnx optimize` again.',
    });
  }
  value.initializer = tensor;
  value.type = { kind: 'tensor', elementType: tensor.elementType, shape: tensor.dims };
  value.origin = undefined;
}

function adaptGroups(value: Value, before: Tensor, after: Tensor): void {
  const [old, now] = [before.dims[0] ?? 1, after.dims[0] ?? 1];
  if (old === now) return;
  for (const use of value.uses) {
    if (use.kind !== 'input' || use.index !== 1 || !use.node.is('Conv', 'ConvTranspose')) continue;
    const groups = use.node.int('group', 1);
    if (groups > 1) use.node.attributes.set('group', { kind: 'int', value: BigInt((groups * now) / old) });
  }
}
