/** Tensors in the arguments of a layer's call, and masks from input to output. */
import type { Value } from '../../../ir/value.js';
import { type LayerCall, type LayerLowering, type LayerTensor, tensorsIn, withMask } from '../layer.js';
import { onlyInput } from '../only-input.js';

/** A layer of one input, whose mask its output keeps. */
export function maskKeeping(lower: (call: LayerCall, x: Value) => Value): LayerLowering {
  return (call) => {
    const input = onlyInput(call);
    return [withMask(lower(call, input.value), input)];
  };
}

/** For whoever is called with this very tensor from now on. */
export function forgetMask(tensor: LayerTensor | undefined): void {
  if (tensor !== undefined) delete (tensor as { mask?: Value }).mask;
}

/** The tensors that a call passes as an argument, by name or, counted from the first argument as 0, by position. */
export function argumentTensors(call: LayerCall, name: string, position?: number): readonly LayerTensor[] {
  return tensorsIn(call.callArguments[name] ?? (position === undefined ? undefined : call.callArguments[position]));
}

/** A truth value among the arguments of a call. */
export function flag(call: LayerCall, name: string): boolean {
  return call.callArguments[name] === true;
}
