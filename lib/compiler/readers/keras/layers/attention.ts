/** Attention, and dense layers by an einsum equation. */
import type { Tensor } from '../../../ir/tensor.js';
import type { Value } from '../../../ir/value.js';
import {
  causal,
  type Masking,
  multiHeadAttention,
  projection,
  repeatHeads,
  slidingWindow,
  weighted,
} from '../../../lowering/attention.js';
import { einsum } from '../../../lowering/einsum.js';
import { binary, cast, unary } from '../../../lowering/elementwise.js';
import type { GraphBuilder } from '../../../lowering/graph-builder.js';
import { zeroUnless } from '../../../lowering/masked-steps.js';
import { matmul } from '../../../lowering/matrix.js';
import { transpose, unsqueeze } from '../../../lowering/rearrange.js';
import { reduce } from '../../../lowering/reduce.js';
import { rankOf } from '../../../lowering/shape.js';
import { ReaderError } from '../../reader-error.js';
import { type LayerCall, type LayerTable, type LayerTensor, type LayerWeights, withMask } from '../layer.js';
import { onlyInput } from '../only-input.js';
import { activated } from './activation.js';
import { argumentTensors, flag, forgetMask } from './call-tensors.js';

/** activation(einsum(equation, x, kernel) + bias). */
function einsumDense(call: LayerCall): readonly LayerTensor[] {
  const { builder, config, weights } = call;
  const input = onlyInput(call);
  const bias = config.has('bias_axes');
  const tensors = bias ? weights.take(['kernel', 'bias']) : { ...weights.take(['kernel']), bias: undefined };
  const product = einsum(builder, config.string('equation'), [
    cast(builder, input.value, 'float32'),
    builder.constant(tensors.kernel, 'kernel'),
  ]);
  const sum =
    tensors.bias === undefined ? product : binary(builder, 'Add', product, builder.constant(tensors.bias, 'bias'));
  return [{ value: activated(call, sum) }];
}

function missing(call: LayerCall, what: string): ReaderError {
  return new ReaderError({
    code: 'LAYER_INPUTS',
    message: `${call.config.describes} is called without ${what}.`,
    advice: 'The file is damaged; save the model again.',
  });
}

/** What attention layers are called with: (query, value, key), each by position or by name. */
interface Operands {
  readonly query: LayerTensor;
  readonly value: LayerTensor;
  /** undefined: the value is the key. */
  readonly key: LayerTensor | undefined;
}

function operandsOf(call: LayerCall): Operands {
  const operand = (name: string, position: number) => {
    const [named] = argumentTensors(call, name, position === 0 ? undefined : position);
    // Where all are named, the inputs are all of them, by their names.
    return named ?? (argumentTensors(call, 'query').length > 0 ? undefined : call.inputs[position]);
  };
  const [query, value, key] = [operand('query', 0), operand('value', 1), operand('key', 2)];
  if (query === undefined) throw missing(call, 'a query');
  if (value === undefined) throw missing(call, 'a value');
  return { query, value, key };
}

/**
 * Everything that leaves keys out, joined: the masks that came with query, value and key (a key that is the value's own has none), an
 * `attention_mask`, the order of time, a window. bool [N or 1, T or 1, S or 1].
 */
function attentionMask(call: LayerCall, { query, value, key }: Operands): Value | undefined {
  const { builder, config } = call;
  const own = (name: string, tensor: LayerTensor | undefined) => argumentTensors(call, name)[0]?.value ?? tensor?.mask;
  const asBool = (mask: Value) => cast(builder, mask, 'bool');
  const queryMask = own('query_mask', query);
  const masks = [
    ...(queryMask === undefined ? [] : [unsqueeze(builder, asBool(queryMask), [-1])]),
    ...[own('value_mask', value), own('key_mask', key)].flatMap((mask) => {
      return mask === undefined ? [] : [unsqueeze(builder, asBool(mask), [-2])];
    }),
    ...(flag(call, 'use_causal_mask') ? [unsqueeze(builder, causal(builder, query.value, value.value), [0])] : []),
    ...(config.has('sliding_window')
      ? [unsqueeze(builder, slidingWindow(builder, query.value, value.value, config.number('sliding_window')), [0])]
      : []),
    ...argumentTensors(call, 'attention_mask', 3).map((mask) => asBool(mask.value)),
  ];
  return joined(builder, masks);
}

function joined(builder: GraphBuilder, masks: readonly Value[]): Value | undefined {
  const [first, ...rest] = masks;
  return first === undefined ? undefined : rest.reduce((all, mask) => binary(builder, 'And', all, mask), first);
}

/**
 * Keras 3 goes through its `dot_product_attention` unless it drops weights in training, returns them, or has more than one axis of
 * positions: how it fills in masked scores differs.
 */
function maskingOf(call: LayerCall, rank: number): Masking {
  const { config, kerasMajorVersion } = call;
  if (kerasMajorVersion !== 3) return config.boolean('softmax_robust_masking', false) ? 'set' : 'added';
  const explicit = config.number('dropout', 0) > 0 || flag(call, 'return_attention_scores') || rank !== 4;
  return explicit ? 'zeroed' : 'lowest';
}

function project(call: LayerCall, attribute: string, x: Value, bound = 1): Value {
  const { builder, config } = call;
  return builder.scope(attribute.replace('_dense', ''), () => {
    const { kernel, bias } = kernelAndBias(call.weights.child(attribute), config.boolean('use_bias', true));
    return projection(builder, cast(builder, x, 'float32'), {
      kernel: builder.constant(kernel, 'kernel'),
      bias: bias === undefined ? undefined : builder.constant(bias, 'bias'),
      bound,
    });
  });
}

function kernelAndBias(weights: LayerWeights, useBias: boolean) {
  return useBias ? weights.take(['kernel', 'bias']) : { ...weights.take(['kernel']), bias: undefined };
}

/** The heads' outputs through the gate, where there is one, and the last projection. */
function output(call: LayerCall, heads: Value, query: Value): Value {
  const { builder, config } = call;
  const gated = config.boolean('use_gate', false)
    ? binary(builder, 'Mul', heads, unary(builder, 'Sigmoid', project(call, 'gate_dense', query)))
    : heads;
  return project(call, 'output_dense', gated, 2);
}

function results(call: LayerCall, value: Value, scores: Value, { query }: Operands): readonly LayerTensor[] {
  return [withMask(value, query), ...(flag(call, 'return_attention_scores') ? [{ value: scores }] : [])];
}

/** Keras 3 (from 3.7 on) takes the masks off the tensors themselves, so that no layer that is called with them later sees any. */
function multiHead(call: LayerCall): readonly LayerTensor[] {
  const operands = operandsOf(call);
  const outputs = multiHeadOutputs(call, operands);
  if (call.kerasMajorVersion === 3) for (const tensor of Object.values(operands)) forgetMask(tensor);
  return outputs;
}

function multiHeadOutputs(call: LayerCall, operands: Operands): readonly LayerTensor[] {
  const { builder, config } = call;
  const { query, value, key = value } = operands;
  const rank = rankOf(query.value) + 1;
  const named = config.has('attention_axes')
    ? config.integers('attention_axes', typeof config.raw('attention_axes') === 'number' ? 1 : undefined)
    : Array.from({ length: rank - 3 }, (_, index) => index + 1);
  const mask = attentionMask(call, operands);
  const heads = multiHeadAttention(
    builder,
    project(call, 'query_dense', query.value),
    project(call, 'key_dense', key.value),
    project(call, 'value_dense', value.value),
    {
      axes: named.map((axis) => (axis < 0 ? axis + rank - 1 : axis)),
      scale: 1 / Math.sqrt(config.number('key_dim')),
      masking: maskingOf(call, rank),
      ...(mask === undefined ? {} : { mask }),
    },
  );
  return results(call, output(call, heads.output, query.value), heads.scores, operands);
}

/** Several heads of queries share the keys and values of one (Ainslie et al. 2023). */
function groupedQuery(call: LayerCall): readonly LayerTensor[] {
  const { builder, config } = call;
  const operands = operandsOf(call);
  const { query, value, key = value } = operands;
  const times = config.number('num_query_heads') / config.number('num_key_value_heads');
  if (!Number.isSafeInteger(times)) throw config.refuse('num_key_value_heads', 'It must divide num_query_heads.');
  const mask = attentionMask(call, operands);
  const shared = (attribute: string, x: Value) => repeatHeads(builder, project(call, attribute, x), times);
  const heads = multiHeadAttention(
    builder,
    project(call, 'query_dense', query.value),
    shared('key_dense', key.value),
    shared('value_dense', value.value),
    {
      axes: [1],
      scale: 1 / Math.sqrt(config.number('head_dim')),
      masking: maskingOf(call, 4),
      ...(mask === undefined ? {} : { mask }),
    },
  );
  return results(call, output(call, heads.output, query.value), heads.scores, operands);
}

/** Luong's: softmax(query · keyᵀ) · value, with one number to scale by; or scores of tanh(query + key). */
function attention(call: LayerCall): readonly LayerTensor[] {
  const { builder, config, weights } = call;
  const useScale = config.boolean('use_scale', false);
  const isConcat = config.string('score_mode', 'dot') === 'concat';
  const names = [...(useScale ? ['scale'] : []), ...(isConcat ? ['concat_score_weight'] : [])];
  const tensors: Readonly<Record<string, Tensor>> = names.length === 0 ? {} : weights.take(names);
  const scaled = (x: Value, name: string) => {
    const tensor = tensors[name];
    return tensor === undefined ? x : binary(builder, 'Mul', x, builder.constant(tensor, name));
  };
  return scoredAttention(call, (query, key) => {
    if (!isConcat) return scaled(matmul(builder, query, lastTwoSwapped(builder, key)), 'scale');
    const bent = unary(builder, 'Tanh', scaled(everyPair(builder, query, key), 'scale'));
    return scaled(reduce(builder, 'ReduceSum', bent, [-1], false), 'concat_score_weight');
  });
}

/** Bahdanau's: scores are the sums of scale · tanh(query + key). */
function additiveAttention(call: LayerCall): readonly LayerTensor[] {
  const { builder, config, weights } = call;
  const scale = config.boolean('use_scale', true) ? weights.take(['scale']).scale : undefined;
  return scoredAttention(call, (query, key) => {
    const bent = unary(builder, 'Tanh', everyPair(builder, query, key));
    const scaled = scale === undefined ? bent : binary(builder, 'Mul', bent, builder.constant(scale, 'scale'));
    return reduce(builder, 'ReduceSum', scaled, [-1], false);
  });
}

function lastTwoSwapped(builder: GraphBuilder, x: Value): Value {
  const rank = rankOf(x);
  const kept = Array.from({ length: rank - 2 }, (_, axis) => axis);
  return transpose(builder, x, [...kept, rank - 1, rank - 2]);
}

/** [N, T, size] and [N, S, size] → [N, T, S, size], their sums. */
function everyPair(builder: GraphBuilder, query: Value, key: Value): Value {
  return binary(builder, 'Add', unsqueeze(builder, query, [-2]), unsqueeze(builder, key, [-3]));
}

/** Layers of [query, value] or [query, value, key], with a mask of each; those of queries make outputs 0. */
function scoredAttention(call: LayerCall, scoresOf: (query: Value, key: Value) => Value): readonly LayerTensor[] {
  const { builder, config } = call;
  const [query, value, key = value] = call.inputs;
  if (query === undefined || value === undefined || key === undefined) throw missing(call, 'a query and a value');
  const explicit = call.callArguments.mask;
  const maskAt = (index: number, tensor: LayerTensor) => {
    return Array.isArray(explicit)
      ? argumentTensors({ ...call, callArguments: { mask: explicit[index] } }, 'mask')[0]?.value
      : tensor.mask;
  };
  const [queryMask, valueMask] = [maskAt(0, query), maskAt(1, value)];
  const isCausal = flag(call, 'use_causal_mask') || config.boolean('causal', false);
  const scores = scoresOf(query.value, key.value);
  const rank = rankOf(scores);
  const mask = joined(builder, [
    ...(valueMask === undefined ? [] : [unsqueeze(builder, cast(builder, valueMask, 'bool'), [-2])]),
    ...(isCausal ? [causal(builder, scores, scores, [rank - 2, rank - 1])] : []),
  ]);
  const { output: sums, weights } = weighted(builder, scores, value.value, mask);
  const result = queryMask === undefined ? sums : zeroUnless(builder, cast(builder, queryMask, 'bool'), sums);
  return [
    queryMask === undefined ? { value: result } : { value: result, mask: queryMask },
    ...(flag(call, 'return_attention_scores') ? [{ value: weights }] : []),
  ];
}

export const attentionLayers: LayerTable = {
  AdditiveAttention: additiveAttention,
  Attention: attention,
  EinsumDense: einsumDense,
  GroupQueryAttention: groupedQuery,
  GroupedQueryAttention: groupedQuery,
  MultiHeadAttention: multiHead,
};
