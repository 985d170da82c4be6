import type { Tensor } from '../../../ir/tensor.js';
import type { Dimension } from '../../../ir/value.js';
import { shapeText } from '../../../lowering/shape.js';
import { ReaderError } from '../../reader-error.js';
import type { LayerConfig } from '../layer-config.js';

/**
 * A weight whose shape is what the layer's config and its input ask for. Dimensions that are not numbers may be anything.
 * @throws ReaderError WEIGHT_SHAPE
 */
export function checkedWeight(config: LayerConfig, name: string, tensor: Tensor, shape: readonly Dimension[]): Tensor {
  const { dims } = tensor;
  const fits =
    dims.length === shape.length && dims.every((size, axis) => typeof shape[axis] !== 'number' || size === shape[axis]);
  if (fits) return tensor;
  throw new ReaderError({
    code: 'WEIGHT_SHAPE',
    message: `${config.describes}: its ${name} has the shape [${shapeText(dims)}]; config and input ask for [${shapeText(shape)}].`,
    advice: 'The weights are of another model than the config: save the whole model again.',
  });
}
