/** Pictures of other sizes. */
import type { Value } from '../../../ir/value.js';
import { cast } from '../../../lowering/elementwise.js';
import { type Interpolation, type ResizeTarget, resize } from '../../../lowering/resize.js';
import type { OperatorCall } from '../operator-call.js';
import { computing, movingBytes, type OperatorTable } from '../operator-table.js';

export const resizing: OperatorTable = {
  RESIZE_BILINEAR: computing((call) => resized(call, 'bilinear', call.options('ResizeBilinearOptions'))),
  RESIZE_NEAREST_NEIGHBOR: movingBytes((call) =>
    resized(call, 'nearest', call.options('ResizeNearestNeighborOptions')),
  ),
};

function resized(
  call: OperatorCall,
  interpolation: Interpolation,
  options: { readonly alignCorners: boolean; readonly halfPixelCenters: boolean },
): Value {
  const { alignCorners, halfPixelCenters } = options;
  const sizes = call.constantNumbers(1);
  const target: ResizeTarget =
    sizes === undefined ? { computedSizes: cast(call.builder, call.integers(1), 'int64') } : { sizes };
  return resize(call.builder, call.input(0), target, { interpolation, alignCorners, halfPixelCenters });
}
