/** Recurrent layers: LSTM, GRU, SimpleRNN, cells in an RNN, and both directions at once. */
import type { Tensor } from '../../../ir/tensor.js';
import type { Dimension, Value } from '../../../ir/value.js';
import { binary } from '../../../lowering/elementwise.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import { concat, reshape, slice, split } from '../../../lowering/rearrange.js';
import {
  gru,
  lstm,
  type RecurrentOptions,
  type RecurrentRun,
  type RecurrentWeights,
  simpleRnn,
} from '../../../lowering/recurrent.js';
import { rankOf, shapeOf, shapeText } from '../../../lowering/shape.js';
import { ReaderError } from '../../reader-error.js';
import type { LayerCall, LayerTable, LayerTensor, LayerWeights } from '../layer.js';
import { LayerConfig } from '../layer-config.js';
import { activationOf } from './activation.js';
import { argumentTensors } from './call-tensors.js';
import { checkedWeight } from './weight-dims.js';

/** A cell of Keras: its config, its weights, and how many states it has. */
interface Cell {
  readonly className: string;
  readonly config: LayerConfig;
  readonly weights: LayerWeights;
}

const STATES: Readonly<Record<string, number>> = { LSTMCell: 2, GRUCell: 1, SimpleRNNCell: 1 };

/** What Keras calls them where it saves a list of cells; the second of a class has '_1' behind it. */
const SAVED_NAMES: Readonly<Record<string, string>> = {
  LSTMCell: 'lstm_cell',
  GRUCell: 'gru_cell',
  SimpleRNNCell: 'simple_rnn_cell',
};

/** What a recurrent layer's config says beyond its cells. */
interface Flags {
  readonly returnSequences: boolean;
  readonly returnState: boolean;
  readonly goBackwards: boolean;
}

function flagsOf(config: LayerConfig): Flags {
  if (config.boolean('stateful', false)) {
    throw config.refuse(
      'stateful',
      'Its state would outlive a request. Build the layer without, with `initial_state` as an input and `return_state`, and keep the state in the client.',
    );
  }
  if (config.boolean('time_major', false)) throw config.refuse('time_major', 'Let batches come first.');
  return {
    returnSequences: config.boolean('return_sequences', false),
    returnState: config.boolean('return_state', false),
    goBackwards: config.boolean('go_backwards', false),
  };
}

/** The cells of a layer, the first on the input, each other one on the one before. */
function cellsOf(className: string, config: LayerConfig, weights: LayerWeights): readonly Cell[] {
  const cell = weights.child('cell');
  if (Object.hasOwn(STATES, `${className}Cell`)) return [{ className: `${className}Cell`, config, weights: cell }];
  const inner = config.object('cell');
  if (inner === undefined) throw config.refuse('cell', 'The file is damaged; save the model again.');
  if (inner.className !== 'StackedRNNCells') return [supported({ ...inner, weights: cell })];
  const cells = inner.config.raw('cells');
  if (!Array.isArray(cells) || cells.length === 0) {
    throw inner.config.refuse('cells', 'The file is damaged; save the model again.');
  }
  const saved: string[] = [];
  return cells.map((each: unknown) => {
    const found = new LayerConfig({ cell: each }, inner.config.describes).object('cell');
    if (found === undefined) throw inner.config.refuse('cells', 'The file is damaged; save the model again.');
    const name = SAVED_NAMES[found.className] ?? found.className;
    const count = saved.filter((other) => other === name).length;
    saved.push(name);
    const own = cell.child('cells').child(count === 0 ? name : `${name}_${count}`);
    return supported({ ...found, weights: own });
  });
}

function supported(cell: Cell): Cell {
  if (Object.hasOwn(STATES, cell.className)) return cell;
  throw new ReaderError({
    code: 'LAYERS_UNSUPPORTED',
    message: `${cell.config.describes}: cells of this class cannot be converted.`,
    advice:
      'The code of a cell of your own is not in the file: build the layer with LSTMCell, GRUCell or SimpleRNNCell.',
  });
}

/**
 * Cells one after the other over all steps: the same as all cells step by step, because a masked step leaves every state as it was and
 * what lower cells put out there is not looked at.
 */
function runCells(call: LayerCall, cells: readonly Cell[], x: Value, options: RecurrentOptions): RecurrentRun {
  const { initialState = [], ...rest } = options;
  let output = x;
  const states: Value[] = [];
  for (const [index, cell] of cells.entries()) {
    const own = initialState.slice(states.length, states.length + (STATES[cell.className] ?? 0));
    const run = runCell({ ...call, ...cell }, output, {
      ...rest,
      returnSequences: options.returnSequences || index < cells.length - 1,
      ...(own.length === 0 ? {} : { initialState: own }),
    });
    output = run.output;
    states.push(...run.states);
  }
  return { output, states };
}

function runCell(call: LayerCall, x: Value, options: RecurrentOptions): RecurrentRun {
  const { builder, className } = call;
  const activation = activationOf(withDefault(call, 'activation', 'tanh'));
  if (className === 'SimpleRNNCell') return simpleRnn(builder, x, weightsOf(call, x), { ...options, activation });
  // Before TensorFlow 2 gates were hard, and are said to be where they are.
  const gate = call.kerasMajorVersion === 3 ? 'sigmoid' : 'hard_sigmoid';
  const recurrentActivation = activationOf(withDefault(call, 'recurrent_activation', gate), 'recurrent_activation');
  const activations = { ...options, activation, recurrentActivation };
  if (className === 'LSTMCell') return lstm(builder, x, weightsOf(call, x), activations);
  return gru(builder, x, weightsOf(call, x), { ...activations, resetAfter: isResetAfter(call) });
}

/** What is absent has Keras's default; null is no activation. */
function withDefault(call: LayerCall, name: string, value: string): LayerCall {
  if (call.config.raw(name) !== undefined) return call;
  return { ...call, config: new LayerConfig({ [name]: value }, call.config.describes) };
}

const GATES: Readonly<Record<string, number>> = { LSTMCell: 4, GRUCell: 3, SimpleRNNCell: 1 };

/** A GRU that resets after the product has two biases, [2, gates · units]. */
function weightsOf(call: LayerCall, x: Value): RecurrentWeights {
  const { builder, className, config, weights } = call;
  const units = config.number('units');
  const width = (GATES[className] ?? 1) * units;
  const useBias = config.boolean('use_bias', true);
  const names = ['kernel', 'recurrent_kernel'] as const;
  const tensors = useBias ? weights.take([...names, 'bias']) : { ...weights.take(names), bias: undefined };
  const checked = (name: string, tensor: Tensor, shape: readonly Dimension[]) => {
    return builder.constant(checkedWeight(config, name, tensor, shape), name);
  };
  const kernels = {
    kernel: checked('kernel', tensors.kernel, [shapeOf(x)[2], width]),
    recurrentKernel: checked('recurrent_kernel', tensors.recurrent_kernel, [units, width]),
  };
  if (tensors.bias === undefined) return kernels;
  if (!isResetAfter(call)) return { ...kernels, bias: checked('bias', tensors.bias, [width]) };
  const [bias, recurrentBias] = split(builder, checked('bias', tensors.bias, [2, width]), 0, [1, 1]).map((row) =>
    reshape(builder, row, [width]),
  ) as [Value, Value];
  return { ...kernels, bias, recurrentBias };
}

/** Before Keras 3 a config without `reset_after` is older than it. */
function isResetAfter({ className, config, kerasMajorVersion }: LayerCall): boolean {
  return className === 'GRUCell' && config.boolean('reset_after', kerasMajorVersion === 3);
}

/** Further inputs, or the argument `initial_state`. */
function initialStates(call: LayerCall): readonly Value[] {
  const named = argumentTensors(call, 'initial_state', 1);
  return (named.length > 0 ? named : call.inputs.slice(1)).map(({ value }) => value);
}

/** Its states may come behind it. */
function sequenceOf({ inputs, config }: LayerCall): LayerTensor {
  const [input] = inputs;
  if (input !== undefined && rankOf(input.value) === 3) return input;
  throw new ReaderError({
    code: 'LAYER_INPUTS',
    message: `${config.describes} needs [batch, steps, features] and is called with ${input === undefined ? 'nothing' : `[${shapeText(shapeOf(input.value))}]`}.`,
    advice: 'The file is damaged, or was written by a Keras that is not known here; save the model again.',
  });
}

function masked(value: Value, mask: Value | undefined): LayerTensor {
  return mask === undefined ? { value } : { value, mask };
}

/** Keras 3 looks for the mask that comes with the input only where no other tensor is passed: an initial state turns it off. */
function maskOf(call: LayerCall): Value | undefined {
  const implicit = call.kerasMajorVersion === 3 && initialStates(call).length > 0 ? undefined : sequenceOf(call).mask;
  return argumentTensors(call, 'mask')[0]?.value ?? implicit;
}

/** Backwards, the sequence comes out in the order in which it was computed. */
function recurrent(call: LayerCall): readonly LayerTensor[] {
  const { builder, className, config, weights } = call;
  const { returnSequences, returnState, goBackwards } = flagsOf(config);
  const mask = maskOf(call);
  const states = initialStates(call);
  const run = runCells(call, cellsOf(className, config, weights), sequenceOf(call).value, {
    returnSequences,
    reverse: goBackwards,
    zeroOutputForMask: config.boolean('zero_output_for_mask', false),
    ...(mask === undefined ? {} : { mask }),
    ...(states.length === 0 ? {} : { initialState: states }),
  });
  const output = goBackwards && returnSequences ? reversed(builder, run.output) : run.output;
  return [
    masked(output, returnSequences ? (mask ?? sequenceOf(call).mask) : undefined),
    ...(returnState ? run.states.map((value) => ({ value })) : []),
  ];
}

function reversed(builder: LayerCall['builder'], sequence: Value): Value {
  return slice(builder, sequence, [{ axis: 1, start: -1, step: -1 }]);
}

/**
 * A layer in both directions. Keras turns the second one's sequence round, whose steps then stand beside those of the first; masked steps
 * put out 0 there.
 */
function bidirectional(call: LayerCall): readonly LayerTensor[] {
  const { builder, config, weights } = call;
  const layer = config.object('layer');
  if (layer === undefined) throw config.refuse('layer', 'The file is damaged; save the model again.');
  const forward = flagsOf(layer.config);
  const { returnSequences, returnState } = forward;
  const other = config.object('backward_layer') ?? layer;
  const isBackwards = config.has('backward_layer') ? flagsOf(other.config).goBackwards : !forward.goBackwards;
  const mask = maskOf(call);
  const states = initialStates(call);
  const direction = (of: typeof layer, attribute: string, reverse: boolean, own: readonly Value[]) => {
    const cells = cellsOf(of.className, of.config, weights.child(attribute));
    return builder.scope(attribute.replace('_layer', ''), () =>
      runCells(call, cells, sequenceOf(call).value, {
        returnSequences,
        reverse,
        zeroOutputForMask: returnSequences,
        ...(mask === undefined ? {} : { mask }),
        ...(own.length === 0 ? {} : { initialState: own }),
      }),
    );
  };
  const first = direction(layer, 'forward_layer', forward.goBackwards, states.slice(0, states.length / 2));
  const second = direction(other, 'backward_layer', isBackwards, states.slice(states.length / 2));
  const turned = (output: Value, turn: boolean) => (returnSequences && turn ? reversed(builder, output) : output);
  const a = turned(first.output, forward.goBackwards);
  const b = turned(second.output, !isBackwards);
  const outputs = mergedOutputs(call, a, b).map((value) => {
    return masked(value, returnSequences ? (mask ?? sequenceOf(call).mask) : undefined);
  });
  const finals = [...first.states, ...second.states].map((value) => ({ value }));
  return returnState ? [...outputs, ...finals] : outputs;
}

function mergedOutputs({ builder, config }: LayerCall, a: Value, b: Value): readonly Value[] {
  const mode = config.raw('merge_mode') === undefined ? 'concat' : config.raw('merge_mode');
  switch (mode) {
    case null:
      return [a, b];
    case 'concat':
      return [concat(builder, [a, b], -1)];
    case 'sum':
      return [binary(builder, 'Add', a, b)];
    case 'mul':
      return [binary(builder, 'Mul', a, b)];
    case 'ave': {
      const half = builder.scalar(0.5, elementTypeOf(a));
      return [binary(builder, 'Mul', binary(builder, 'Add', a, b), half)];
    }
    default:
      throw config.refuse('merge_mode', "It must be 'concat', 'sum', 'mul', 'ave' or null.");
  }
}

export const recurrentLayers: LayerTable = {
  Bidirectional: bidirectional,
  GRU: recurrent,
  LSTM: recurrent,
  RNN: recurrent,
  SimpleRNN: recurrent,
};
