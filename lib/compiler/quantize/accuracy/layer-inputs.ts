/** The rows of X in a layer's products X · Wᵀ, as they lie in its activations: what weights are multiplied with to give one output. */
import type { RuntimeTensor } from '../../runtime/session.js';
import type { WeightMatrix } from './weight-matrix.js';

/** Calls `visit` for each row: element k of the row, for outputs of group `group`. */
export type RowVisitor = (group: number, elementAt: (k: number) => number) => void;

export interface LayerInputs {
  /** Names of the values that the rows are made of; activations, never constants. */
  readonly values: readonly string[];
  /** Layers of one key have the same rows. */
  readonly key: string;
  readonly groups: number;
  /** @param maximum rows to visit of each group */
  forEachRow(values: ReadonlyMap<string, RuntimeTensor>, maximum: number, visit: RowVisitor): void;
}

/** A string says why the rows cannot be had. */
export function layerInputsOf(matrix: WeightMatrix): LayerInputs | string {
  const { node, tensor, depth, inputIndex } = matrix;
  const x = node.input(0);
  if (x === undefined || x.initializer !== undefined) return `${node.describe()} has no input that changes`;
  if (node.graph?.parent !== undefined) return `${node.describe()} stands in a subgraph, whose values cannot be seen`;
  if (node.is('Conv')) return convolutionInputs(matrix);
  if (node.is('LSTM') && inputIndex !== 1) return `the state of ${node.describe()} cannot be seen`;
  if (node.is('MatMul') && tensor.dims.length !== 2) return `${node.describe()} multiplies with a stack of matrices`;
  return {
    values: [x.name],
    key: JSON.stringify([x.name, 'rows']),
    groups: 1,
    forEachRow(values, maximum, visit) {
      const data = floatsOf(values.get(x.name));
      const count = Math.floor(data.length / depth);
      for (const row of spread(count, maximum)) {
        const start = row * depth;
        visit(0, (k) => data[start + k] ?? 0);
      }
    },
  };
}

interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

/** Patches of the padded input: what a kernel covers for one position of the output. */
function convolutionInputs({ node, tensor, rows, rowsPerGroup }: WeightMatrix): LayerInputs {
  const name = node.input(0)?.name ?? '';
  const [, channels = 0, ...kernel] = tensor.dims;
  const ones = kernel.map(() => 1);
  const window = { kernel, strides: node.ints('strides') ?? ones, dilations: node.ints('dilations') ?? ones };
  const pads = node.ints('pads');
  const autoPad = node.string('auto_pad', 'NOTSET');
  const groups = rows / rowsPerGroup;
  return {
    values: [name],
    key: JSON.stringify([name, channels, window, pads, autoPad]),
    groups,
    forEachRow(values, maximum, visit) {
      const x = values.get(name);
      const data = floatsOf(x);
      const [batch = 0, , ...sizes] = x?.dims ?? [];
      const placement = sizes.map((size, axis) => placeWindows(size, axis, window, pads, autoPad));
      const positions = placement.reduce((product, { count }) => product * count, 1);
      const image = sizes.reduce((product, size) => product * size, 1);
      const offsets = kernelOffsets(kernel);
      for (const index of spread(batch * positions, maximum)) {
        const starts = startsOf(index % positions, placement, window.strides);
        const sampleStart = Math.floor(index / positions) * groups * channels * image;
        // Where each point of the kernel lies in an image; -1 where it lies in the padding.
        const points = offsets.map((offset) => pointOf(offset, starts, sizes, window.dilations));
        for (let group = 0; group < groups; group++) {
          const start = sampleStart + group * channels * image;
          visit(group, (k) => {
            const point = points[Math.floor(k / channels)] ?? -1;
            return point < 0 ? 0 : (data[start + (k % channels) * image + point] ?? 0);
          });
        }
      }
    },
  };
}

interface Placement {
  readonly before: number;
  readonly count: number;
}

function placeWindows(
  size: number,
  axis: number,
  { kernel, strides, dilations }: Window,
  pads: readonly number[] | undefined,
  autoPad: string,
): Placement {
  const extent = ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
  const stride = strides[axis] ?? 1;
  if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
    const count = Math.ceil(size / stride);
    const total = Math.max(0, (count - 1) * stride + extent - size);
    return { count, before: autoPad === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2) };
  }
  const explicit = autoPad === 'VALID' ? undefined : pads;
  const before = explicit?.[axis] ?? 0;
  const after = explicit?.[axis + kernel.length] ?? 0;
  return { before, count: Math.max(0, Math.floor((size + before + after - extent) / stride) + 1) };
}

/** Every point of the kernel, the last dimension fastest. */
function kernelOffsets(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (points, size) => points.flatMap((point) => Array.from({ length: size }, (_, at) => [...point, at])),
    [[]],
  );
}

function startsOf(position: number, placement: readonly Placement[], strides: readonly number[]): number[] {
  const starts: number[] = [];
  let rest = position;
  for (let axis = placement.length - 1; axis >= 0; axis--) {
    const { count, before } = placement[axis] ?? { count: 1, before: 0 };
    starts[axis] = (rest % count) * (strides[axis] ?? 1) - before;
    rest = Math.floor(rest / count);
  }
  return starts;
}

function pointOf(
  offset: readonly number[],
  starts: readonly number[],
  sizes: readonly number[],
  dilations: readonly number[],
): number {
  let point = 0;
  for (const [axis, size] of sizes.entries()) {
    const at = (starts[axis] ?? 0) + (offset[axis] ?? 0) * (dilations[axis] ?? 1);
    if (at < 0 || at >= size) return -1;
    point = point * size + at;
  }
  return point;
}

/** Its multiples fill an interval evenly, and are out of step with the width of every image. */
const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2;

/** All of `count` positions, or `maximum` of them, spread. */
function* spread(count: number, maximum: number): Generator<number> {
  if (count <= maximum) for (let position = 0; position < count; position++) yield position;
  else for (let step = 0; step < maximum; step++) yield Math.floor(((step * GOLDEN_RATIO) % 1) * count);
}

function floatsOf(tensor: RuntimeTensor | undefined): Float32Array {
  return tensor?.data instanceof Float32Array ? tensor.data : new Float32Array(0);
}
