/** Normalizations: parameters per channel go with their channels; an axis that is normalized over stays whole. */
import { blockAxes, fromFront, type Rule } from './rule.js';

/** BatchNormalization, InstanceNormalization: one parameter per channel on axis 1. */
const perChannel: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0));
  if (labels === undefined) return scope.block(node, 'channels come in where it takes a parameter');
  if (node.outputs.slice(1).some((value) => value !== undefined) || node.int('training_mode', 0) === 1) {
    return scope.block(node, 'it is set for training');
  }
  const ids = labels[1];
  for (let index = 1; ids !== undefined && index < node.inputs.length; index++) {
    const constant = node.constantInput(index);
    if (constant?.dims.length === 1 && constant.count === ids.length) scope.use(node, index, 0, ids, 'pass');
    else scope.units.block(ids, `the parameters of ${node.describe()} are not constant`);
  }
  const spatial = labels.map((_, axis) => axis).slice(2);
  if (node.opType === 'InstanceNormalization') {
    blockAxes(scope, labels, spatial, `${node.describe()} normalizes over it`);
  }
  scope.setLabels(node.output(), labels);
};

const layerNormalization: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0));
  if (labels === undefined) return scope.block(node, 'channels come in where it takes a parameter');
  const first = fromFront(node.int('axis', -1), labels.length);
  const normalized = labels.map((_, axis) => axis).slice(first);
  blockAxes(scope, labels, normalized, `${node.describe()} normalizes over it`);
  for (const output of node.outputs) {
    scope.setLabels(
      output,
      labels.map((ids, axis) => (axis < first ? ids : undefined)),
    );
  }
};

/** Softmax and its relatives, from version 13 on. */
const alongAxis: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0)) ?? [];
  const axis = fromFront(node.int('axis', -1), labels.length);
  blockAxes(scope, labels, [axis], `${node.describe()} normalizes over it`);
  scope.setLabels(
    node.output(),
    labels.map((ids, index) => (index === axis ? undefined : ids)),
  );
};

export const NORMALIZATION_RULES: Readonly<Record<string, Rule>> = {
  BatchNormalization: perChannel,
  Hardmax: alongAxis,
  InstanceNormalization: perChannel,
  LayerNormalization: layerNormalization,
  LogSoftmax: alongAxis,
  Softmax: alongAxis,
};
