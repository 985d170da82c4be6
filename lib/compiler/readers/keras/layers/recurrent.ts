/** Recurrent layers: LSTM, GRU, SimpleRNN, cells in an RNN, and both directions at once. */
import type { Value } from '../../../ir/value.js';
import { binary } from '../../../lowering/elementwise.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import { concat, slice } from '../../../lowering/rearrange.js';
import type { RecurrentOptions, RecurrentRun } from '../../../lowering/recurrent-layer.js';
import { rankOf, shapeOf, shapeText } from '../../../lowering/shape.js';
import { ReaderError } from '../../reader-error.js';
import type { LayerCall, LayerTable, LayerTensor } from '../layer.js';
import type { LayerConfig } from '../layer-config.js';
import { argumentTensors } from './call-tensors.js';
import { cellsOf, runCells } from './recurrent-cells.js';

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
  const implicit = call.kerasMajorVersion === 3 && initialStates(call).length > 0 ? undefined : call.inputs[0]?.mask;
  return argumentTensors(call, 'mask')[0]?.value ?? implicit;
}

/** What a layer's config and call say of a run. */
export function runOptions(call: LayerCall): RecurrentOptions {
  const { config } = call;
  const { returnSequences, goBackwards } = flagsOf(config);
  const mask = maskOf(call);
  const states = initialStates(call);
  return {
    returnSequences,
    reverse: goBackwards,
    zeroOutputForMask: config.boolean('zero_output_for_mask', false),
    ...(mask === undefined ? {} : { mask }),
    ...(states.length === 0 ? {} : { initialState: states }),
  };
}

/** Backwards, the sequence comes out in the order in which it was computed. */
export function recurrentOutputs(call: LayerCall, run: RecurrentRun): readonly LayerTensor[] {
  const { builder, config, inputs } = call;
  const { returnSequences, returnState, goBackwards } = flagsOf(config);
  const output = goBackwards && returnSequences ? reversed(builder, run.output) : run.output;
  const mask = returnSequences ? (maskOf(call) ?? inputs[0]?.mask) : undefined;
  return [masked(output, mask), ...(returnState ? run.states.map((value) => ({ value })) : [])];
}

function recurrent(call: LayerCall): readonly LayerTensor[] {
  const cells = cellsOf(call.className, call.config, call.weights);
  return recurrentOutputs(call, runCells(call, cells, sequenceOf(call).value, runOptions(call)));
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
  CuDNNGRU: recurrent,
  CuDNNLSTM: recurrent,
  GRU: recurrent,
  LSTM: recurrent,
  RNN: recurrent,
  SimpleRNN: recurrent,
};
