/** Embedding. */
import { cast, compare, unary } from '../../../lowering/elementwise.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import { gather } from '../../../lowering/rearrange.js';
import type { LayerLowering, LayerTable } from '../layer.js';
import { onlyInput } from '../only-input.js';

/** Rows of a table by number; with `mask_zero`, number 0 is masked from here on. Fractions are cut off first, as in Keras. */
const embedding: LayerLowering = (call) => {
  const { builder, config, weights } = call;
  const { value } = onlyInput(call);
  const { embeddings } = weights.take(['embeddings']);
  const elementType = elementTypeOf(value);
  const indices = elementType === 'int64' ? value : cast(builder, value, 'int32');
  const rows = gather(builder, builder.constant(embeddings, 'embeddings'), indices, 0);
  if (!config.boolean('mask_zero', false)) return [{ value: rows }];
  const isZero = compare(builder, 'Equal', value, builder.scalar(0, elementType));
  return [{ value: rows, mask: unary(builder, 'Not', isZero) }];
};

export const embeddingLayers: LayerTable = { Embedding: embedding };
