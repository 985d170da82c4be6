/** Where the weights of layers are found: one implementation per way of naming them. */
import type { ElementType } from '../../../ir/element-type.js';
import { bfloat16ToNumber, float16ToNumber } from '../../../ir/float16.js';
import { Tensor } from '../../../ir/tensor.js';
import { ReaderError } from '../../reader-error.js';
import type { LayerWeights } from '../layer.js';
import type { KerasLayer, KerasModel } from '../topology.js';

/** The weights of a layer, which may be a model. */
export interface WeightScope extends LayerWeights {
  child(attribute: string): WeightScope;
  /** Those of each layer of a model, where this scope is the model's. Each layer's are to be taken once. */
  layers(model: KerasModel): ReadonlyMap<KerasLayer, () => WeightScope>;
}

/** As layers compute with it: floating point of every width becomes float32, the rest stays. */
export function weightTensor(elementType: ElementType, dims: readonly number[], bytes: Uint8Array): Tensor {
  const tensor = new Tensor(elementType, dims, { kind: 'bytes', bytes });
  switch (elementType) {
    case 'float16':
      return Tensor.fromTyped('float32', dims, Float32Array.from(tensor.typed() as Uint16Array, float16ToNumber));
    case 'bfloat16':
      return Tensor.fromTyped('float32', dims, Float32Array.from(tensor.typed() as Uint16Array, bfloat16ToNumber));
    case 'float64':
      return Tensor.fromTyped('float32', dims, Float32Array.from(tensor.typed() as Float64Array));
    default:
      return tensor;
  }
}

export function weightMissing(what: string): ReaderError {
  return new ReaderError({
    code: 'WEIGHT_MISSING',
    message: `The file does not hold ${what}.`,
    advice: 'The file is incomplete, or its weights are of another model than its config; save the whole model again.',
  });
}

export function weightCount(where: string, expected: readonly string[], found: number): ReaderError {
  return new ReaderError({
    code: 'WEIGHT_COUNT',
    message: `${where} holds ${found} variables; its config asks for ${expected.length} (${expected.join(', ') || 'none'}).`,
    advice:
      'The weights are of another model than the config, or the layer is quantized or adapted (int8, LoRA): save the whole model again in float32.',
  });
}
