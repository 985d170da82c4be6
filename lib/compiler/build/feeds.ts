/** Constants of a graph as tensors that a session takes. */
import type { DataType } from '../../artifact/manifest.js';
import type { Value } from '../ir/value.js';
import type { RuntimeTensor } from '../runtime/session.js';

const decoder = new TextDecoder();

/** The constant that an input was frozen to, as a feed for the source, which still asks for it. */
export function feedOf(value: Value): RuntimeTensor {
  const tensor = value.initializer;
  if (tensor === undefined) throw new TypeError(`'${value.name}' was not frozen`);
  const { storage } = tensor;
  const data = storage.kind === 'strings' ? storage.strings.map((string) => decoder.decode(string)) : tensor.typed();
  // A model that passed validation has no inputs of the types that onnxruntime-node cannot carry.
  return { dataType: tensor.elementType as DataType, dims: tensor.dims, data };
}
