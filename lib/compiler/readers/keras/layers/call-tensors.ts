/** Tensors in the arguments of a layer's call, and masks from input to output. */
import { Value } from '../../../ir/value.js';
import { ReaderError } from '../../reader-error.js';
import type { LayerCall, LayerTensor } from '../layer.js';

/** A layer of one input, whose mask its output keeps. */
export function maskKeeping(lower: (call: LayerCall, x: Value) => Value): (call: LayerCall) => readonly LayerTensor[] {
  return (call) => {
    const input = firstInput(call);
    return [masked(lower(call, input.value), input.mask)];
  };
}

export function masked(value: Value, mask: Value | undefined): LayerTensor {
  return mask === undefined ? { value } : { value, mask };
}

/** For whoever is called with this very tensor from now on. */
export function forgetMask(tensor: LayerTensor | undefined): void {
  if (tensor !== undefined) delete (tensor as { mask?: Value }).mask;
}

/** @throws ReaderError LAYER_INPUTS */
export function firstInput(call: LayerCall): LayerTensor {
  const [input] = call.inputs;
  if (input !== undefined) return input;
  throw new ReaderError({
    code: 'LAYER_INPUTS',
    message: `${call.config.describes} has no input.`,
    advice: 'The file is damaged; save the model again.',
  });
}

/** The tensors that a call passes as an argument, by name or, counted from the first argument as 0, by position. */
export function argumentTensors(call: LayerCall, name: string, position?: number): readonly LayerTensor[] {
  return tensorsOf(call.callArguments[name] ?? (position === undefined ? undefined : call.callArguments[position]));
}

function tensorsOf(argument: unknown): readonly LayerTensor[] {
  if (typeof argument !== 'object' || argument === null) return [];
  if ('value' in argument && argument.value instanceof Value) return [argument as LayerTensor];
  return Array.isArray(argument) ? argument.flatMap(tensorsOf) : [];
}

/** A truth value among the arguments of a call. */
export function flag(call: LayerCall, name: string): boolean {
  return call.callArguments[name] === true;
}
