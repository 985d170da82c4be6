/** The cells of recurrent layers, on lowering/recurrent.ts. */
import type { Tensor } from '../../../ir/tensor.js';
import type { Dimension, Value } from '../../../ir/value.js';
import { reshape, split } from '../../../lowering/rearrange.js';
import {
  gru,
  lstm,
  type RecurrentActivation,
  type RecurrentOptions,
  type RecurrentRun,
  type RecurrentWeights,
  simpleRnn,
} from '../../../lowering/recurrent.js';
import { shapeOf } from '../../../lowering/shape.js';
import { ReaderError } from '../../reader-error.js';
import type { LayerCall, LayerWeights } from '../layer.js';
import { LayerConfig } from '../layer-config.js';
import { activationOf } from './activation.js';
import { runOfCudnn } from './cudnn-recurrent.js';
import { checkedWeight } from './weight-dims.js';

/** A cell of Keras: its config, its weights, and how many states it has. */
export interface Cell {
  readonly className: string;
  readonly config: LayerConfig;
  readonly weights: LayerWeights;
}

const STATES: Readonly<Record<string, number>> = {
  LSTMCell: 2,
  GRUCell: 1,
  SimpleRNNCell: 1,
  CuDNNLSTM: 2,
  CuDNNGRU: 1,
};

/** What Keras calls them where it saves a list of cells; the second of a class has '_1' behind it. */
const SAVED_NAMES: Readonly<Record<string, string>> = {
  LSTMCell: 'lstm_cell',
  GRUCell: 'gru_cell',
  SimpleRNNCell: 'simple_rnn_cell',
};

/** The cells of a layer, the first on the input, each other one on the one before. */
export function cellsOf(className: string, config: LayerConfig, weights: LayerWeights): readonly Cell[] {
  // They have no cell of their own.
  if (className.startsWith('CuDNN') && Object.hasOwn(STATES, className)) return [{ className, config, weights }];
  const cell = weights.child('cell');
  if (Object.hasOwn(STATES, `${className}Cell`)) return [{ className: `${className}Cell`, config, weights: cell }];
  if (className !== 'RNN') throw unsupported(config);
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
  throw unsupported(cell.config);
}

function unsupported(config: LayerConfig): ReaderError {
  return new ReaderError({
    code: 'LAYERS_UNSUPPORTED',
    message: `${config.describes}: this class cannot be converted there.`,
    advice:
      'The code of a layer or cell of your own is not in the file: use LSTM, GRU or SimpleRNN, or RNN with their cells.',
  });
}

/**
 * Cells one after the other over all steps: the same as all cells step by step, because a masked step leaves every state as it was and
 * what lower cells put out there is not looked at.
 */
export function runCells(call: LayerCall, cells: readonly Cell[], x: Value, options: RecurrentOptions): RecurrentRun {
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
  if (className === 'CuDNNLSTM' || className === 'CuDNNGRU') return runOfCudnn(call, className, x, options);
  const activation = activationOf(withDefault(call, 'activation', 'tanh'));
  if (className === 'SimpleRNNCell') return simpleRnn(builder, x, weightsOf(call, x), { ...options, activation });
  const recurrentActivation = gateActivation(call);
  const activations = { ...options, activation, recurrentActivation };
  if (className === 'LSTMCell') return lstm(builder, x, weightsOf(call, x), activations);
  return gru(builder, x, weightsOf(call, x), { ...activations, resetAfter: isResetAfter(call) });
}

/** Before TensorFlow 2 gates were hard, and are said to be where they are. */
export function gateActivation(call: LayerCall): RecurrentActivation {
  const gate = call.kerasMajorVersion === 3 ? 'sigmoid' : 'hard_sigmoid';
  return activationOf(withDefault(call, 'recurrent_activation', gate), 'recurrent_activation');
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
