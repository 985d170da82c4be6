/** Recurrent layers. */
import type { Value } from '../../../ir/value.js';
import { clip } from '../../../lowering/elementwise.js';
import { concat, transpose } from '../../../lowering/rearrange.js';
import { lstm, type RecurrentRun, type RecurrentWeights, recurrentActivation } from '../../../lowering/recurrent.js';
import { lstmCell, scanned } from '../../../lowering/recurrent-scan.js';
import { staticSize } from '../../../lowering/shape.js';
import type { OperatorCall } from '../operator-call.js';
import { computing, type OperatorTable } from '../operator-table.js';

/** Inputs of UNIDIRECTIONAL_SEQUENCE_LSTM, each for the gates i, f, c (the cell's), o. */
const INPUT_WEIGHTS = [1, 2, 3, 4];
const RECURRENT_WEIGHTS = [5, 6, 7, 8];
const BIASES = [12, 13, 14, 15];
/** What the file may hold and no converter of Keras writes. */
const UNSUPPORTED = [
  { inputs: [9, 10, 11], what: 'peepholes' },
  { inputs: [16, 17], what: 'a projection' },
  { inputs: [20, 21, 22, 23], what: 'layer normalization' },
] as const;
const STATES = [18, 19];

/** Enum ActivationFunctionType of schema.fbs. */
const ACTIVATIONS: Readonly<Record<number, string>> = { 0: 'linear', 1: 'relu', 3: 'relu6', 4: 'tanh' };

export const recurrent: OperatorTable = {
  UNIDIRECTIONAL_SEQUENCE_LSTM: computing(sequence),
};

/**
 * i, f, o = σ(x · Wᵀ + h · Rᵀ + b); c = f · c + i · act(…); h = o · act(c). The states are zero at first; TensorFlow Lite keeps them from
 * one run to the next unless it is told to reset them.
 */
function sequence(call: OperatorCall): Value {
  const { builder } = call;
  const options = call.options('UnidirectionalSequenceLSTMOptions');
  checkSupported(call, options.diagonalRecurrentTensors);
  const name = ACTIVATIONS[options.activation];
  if (name === undefined) throw call.error('ACTIVATION_UNSUPPORTED', `has the activation ${options.activation}`);
  const x = options.timeMajor ? transpose(builder, call.input(0), [1, 0, 2]) : call.input(0);
  const gates = (inputs: readonly number[]) =>
    concat(
      builder,
      inputs.map((index) => call.scope.realConstant(call.inputTensor(index))),
      0,
    );
  const weights = {
    kernel: transpose(builder, gates(INPUT_WEIGHTS), [1, 0]),
    recurrentKernel: transpose(builder, gates(RECURRENT_WEIGHTS), [1, 0]),
    bias: gates(BIASES),
  };
  const run = runLstm(call, x, weights, { activation: name, cellClip: options.cellClip });
  return options.timeMajor ? transpose(builder, run.output, [1, 0, 2]) : run.output;
}

function checkSupported(call: OperatorCall, isDiagonal: boolean): void {
  const found: string[] = UNSUPPORTED.filter(({ inputs }) => inputs.some((index) => call.hasInput(index))).map(
    ({ what }) => what,
  );
  if (!call.hasInput(1) || !call.hasInput(5)) found.push('coupled gates');
  if (isDiagonal) found.push('diagonal weights');
  if (STATES.some((index) => call.hasInput(index) && !call.inputTensor(index).isVariable)) {
    found.push('states that the caller passes');
  }
  if (call.quantizedOutput !== undefined) found.push('quantized activations');
  if (found.length === 0) return;
  throw call.error(
    'LSTM_UNSUPPORTED',
    `has ${found.join(', ')}, which are not supported`,
    'Export the model with a plain LSTM.',
  );
}

/**
 * No step adds more than 1 to a cell (behind tanh), so a limit counts from as many steps on; converters write 10. Then the steps are
 * written one by one, because ONNX's own `clip` is for what goes into the gates.
 */
function runLstm(
  call: OperatorCall,
  x: Value,
  weights: RecurrentWeights,
  options: { readonly activation: string; readonly cellClip: number },
): RecurrentRun {
  const { builder } = call;
  const activation = recurrentActivation(options.activation);
  const gate = recurrentActivation('sigmoid');
  const limit = options.cellClip;
  const isTanh = options.activation === 'tanh';
  const steps = staticSize(x, 1);
  if (limit <= 0 || (isTanh && steps !== undefined && steps <= limit)) {
    return lstm(builder, x, weights, { activation, recurrentActivation: gate, returnSequences: true });
  }
  if (!isTanh) throw call.error('LSTM_UNSUPPORTED', `cuts its cells at ${limit} in front of ${options.activation}`);
  const cell = lstmCell(weights, activation, gate);
  // The output may be made of the cell before it is cut: tanh is 1 there to float32.
  const step: typeof cell.step = (body, input, states) => {
    const [h, c] = cell.step(body, input, states) as [Value, Value];
    return [h, clip(body, c, -limit, limit)];
  };
  return scanned(builder, x, { ...cell, step }, { returnSequences: true });
}
