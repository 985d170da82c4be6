/** The inputs of a model. */

import { isRecord } from '../../formats/json.js';
import type { ElementType } from '../../ir/element-type.js';
import type { Dimension, Value } from '../../ir/value.js';
import type { GraphBuilder } from '../../lowering/graph-builder.js';
import { ReaderError } from '../reader-error.js';
import { elementTypeNamed } from './dtype.js';
import type { KerasLayer } from './topology.js';

/** What everybody calls the open first dimension. */
const BATCH = 'N';

/** @throws ReaderError INPUT_UNSUPPORTED, INPUT_SHAPE, INPUT_STRINGS */
export function addInput(builder: GraphBuilder, layer: KerasLayer, name: string): Value {
  const { config } = layer;
  for (const kind of ['sparse', 'ragged']) {
    if (config[kind] === true) {
      throw new ReaderError({
        code: 'INPUT_UNSUPPORTED',
        message: `Input '${name}' is ${kind}, which ONNX has no tensors for.`,
        advice: `Build the model on a dense input (Input(${kind}=False), padded where rows differ) and save it again.`,
      });
    }
  }
  return builder.input(name, { elementType: elementTypeOf(config.dtype, name), shape: shapeOf(config, name) });
}

function shapeOf(config: Readonly<Record<string, unknown>>, name: string): Dimension[] {
  const batched = config.batch_shape ?? config.batch_input_shape ?? config.batchInputShape;
  const alone = config.shape ?? config.input_shape;
  const sizes = batched ?? (Array.isArray(alone) ? [null, ...(alone as unknown[])] : undefined);
  const isShape =
    Array.isArray(sizes) && sizes.every((size) => size === null || (Number.isSafeInteger(size) && Number(size) >= 0));
  if (!isShape || sizes.length === 0) {
    throw new ReaderError({
      code: 'INPUT_SHAPE',
      message: `Input '${name}' has no shape in the model's config (${JSON.stringify(sizes) ?? 'none'}).`,
      advice: 'Give the model an Input layer with a shape, call it once on data, and save it again. Sizes may be None.',
    });
  }
  return (sizes as (number | null)[]).map((size, axis) => size ?? (axis === 0 ? BATCH : `${name}_dim${axis}`));
}

function elementTypeOf(dtype: unknown, name: string): ElementType {
  // Keras 3 may write a policy in place of the type.
  const config = isRecord(dtype) && isRecord(dtype.config) ? dtype.config.name : dtype;
  const text = typeof config === 'string' ? config.replace(/^mixed_/, '') : 'float32';
  const elementType = elementTypeNamed(text);
  if (elementType !== undefined) return elementType;
  throw new ReaderError({
    code: text === 'string' ? 'INPUT_STRINGS' : 'INPUT_UNSUPPORTED',
    message: `Input '${name}' takes elements of the type ${text}.`,
    advice:
      text === 'string'
        ? "Models that read texts cannot be converted: save the part behind the text layers, and prepare texts with the task's tokenizer or in the client."
        : 'Build the model on an input of float32 or of integers, and save it again.',
  });
}
