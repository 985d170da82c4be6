/** Recurrent layers whose products are convolutions: ConvLSTM (Shi et al. 2015), without peepholes, as Keras has it. */
import type { Value } from '../ir/value.js';
import { convolution } from './convolution.js';
import { binary } from './elementwise.js';
import type { GraphBuilder } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { reshapeTo } from './open-reshape.js';
import { split, transpose } from './rearrange.js';
import type { RecurrentActivation } from './recurrent-activation.js';
import type { RecurrentOptions, RecurrentRun, RecurrentWeights } from './recurrent-layer.js';
import { type Cell, lstmStep, scanned } from './recurrent-scan.js';
import { rankOf, requiredSize, type Shape, shapeOf, staticCount } from './shape.js';
import type { DataFormat, WindowOptions } from './sliding-window.js';

export interface ConvLstmOptions extends RecurrentOptions {
  readonly activation: RecurrentActivation;
  readonly recurrentActivation: RecurrentActivation;
  readonly dataFormat: DataFormat;
  /** Of the convolution of the input; that of the state keeps its size. */
  readonly window: WindowOptions;
}

/**
 * An LSTM whose input and state are pictures: x · W is a convolution, h · R one with padding `same`.
 * @param x [N, T, …, C] or [N, T, C, …]
 * @param weights kernels [k…, C, 4 · filters] and [k…, filters, 4 · filters], gates i, f, c, o; bias [4 · filters]
 * @returns outputs and states in the format of `x`
 * @throws LoweringError SIZE_UNKNOWN where sizes of the pictures are open
 */
export function convLstm(
  builder: GraphBuilder,
  x: Value,
  weights: RecurrentWeights,
  options: ConvLstmOptions,
): RecurrentRun {
  const isLast = options.dataFormat === 'channels_last';
  const first = (value: Value, outer: number) => (isLast ? moveLast(builder, value, outer) : value);
  const last = (value: Value, outer: number) => (isLast ? moveToLast(builder, value, outer) : value);
  const data = first(x, 2);
  const filters = requiredSize(weights.recurrentKernel, -2, 'ConvLSTM');
  const prepared = overSteps(builder, data, (pictures) => {
    return convolution(builder, pictures, weights.kernel, {
      ...options.window,
      dataFormat: 'channels_first',
      ...(weights.bias === undefined ? {} : { bias: weights.bias }),
    });
  });
  const shape: Shape = [filters, ...shapeOf(prepared).slice(3)];
  if (staticCount(shape) === undefined) {
    throw new LoweringError({
      code: 'SIZE_UNKNOWN',
      message: 'A ConvLSTM needs the sizes of its pictures, for the state that it begins with.',
      advice: 'Export the model with fixed sizes there.',
    });
  }
  const cell: Cell = {
    stateShapes: [shape, shape],
    prepare: (_, value) => value,
    step: (body, step, [h, c]) => {
      if (h === undefined || c === undefined) throw new TypeError('a ConvLSTM without its states');
      const ofState = convolution(body, h, weights.recurrentKernel, { padding: 'same', dataFormat: 'channels_first' });
      const gates = split(body, binary(body, 'Add', step, ofState), 1, [filters, filters, filters, filters]);
      return lstmStep(body, gates, c, options);
    },
  };
  const { initialState } = options;
  const run = scanned(builder, prepared, cell, {
    ...options,
    ...(initialState === undefined ? {} : { initialState: initialState.map((state) => first(state, 1)) }),
  });
  return {
    output: last(run.output, options.returnSequences ? 2 : 1),
    states: run.states.map((state) => last(state, 1)),
  };
}

/** The pictures of all steps as one batch: [N, T, C, …] → [N, T, C, …]. */
function overSteps(builder: GraphBuilder, x: Value, lower: (pictures: Value) => Value): Value {
  const sizes = (of: Value, from: number) =>
    shapeOf(of)
      .slice(from)
      .map((_, index) => ({ of, axis: from + index }));
  const pictures = lower(reshapeTo(builder, x, [-1, ...sizes(x, 2)]));
  return reshapeTo(builder, pictures, [{ of: x, axis: 0 }, { of: x, axis: 1 }, ...sizes(pictures, 1)]);
}

/** The last dimension behind the first `outer` ones. */
function moveLast(builder: GraphBuilder, x: Value, outer: number): Value {
  const axes = shapeOf(x).map((_, axis) => axis);
  return transpose(builder, x, [...axes.slice(0, outer), axes.length - 1, ...axes.slice(outer, -1)]);
}

/** And back. */
function moveToLast(builder: GraphBuilder, x: Value, outer: number): Value {
  const axes = Array.from({ length: rankOf(x) }, (_, axis) => axis);
  return transpose(builder, x, [...axes.slice(0, outer), ...axes.slice(outer + 1), outer]);
}
