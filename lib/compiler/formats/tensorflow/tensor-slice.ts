/** Parts of tensors, as bundles store those of partitioned variables and as RestoreV2 asks for them. */

/** Along one dimension: from `start`, `length` elements; a length of -1 is the whole dimension. */
export interface Extent {
  readonly start: number;
  readonly length: number;
}

export interface PartOfTensor {
  /** Of the whole tensor. */
  readonly dims: readonly number[];
  readonly extents: readonly Extent[];
}

/**
 * RestoreV2's `shape_and_slice`: "100 20 0,50:-" is the first half of the rows of [100, 20]; '' is a whole tensor.
 * @returns undefined for a text that is neither
 */
export function parseShapeAndSlice(text: string): PartOfTensor | 'whole' | undefined {
  if (text === '') return 'whole';
  const words = text.split(' ');
  const dims = words.slice(0, -1).map(Number);
  const extents = (words[words.length - 1] ?? '').split(':').map((extent): Extent | undefined => {
    if (extent === '-') return WHOLE;
    const [, start, length] = /^(\d{1,15}),(\d{1,15})$/.exec(extent) ?? [];
    return start === undefined ? undefined : { start: Number(start), length: Number(length) };
  });
  const known = extents.filter((extent) => extent !== undefined);
  if (words.slice(0, -1).some((word) => !/^\d{1,15}$/.test(word)) || known.length !== dims.length) return undefined;
  if (known.length !== extents.length) return undefined;
  return { dims, extents: known };
}

const WHOLE: Extent = { start: 0, length: -1 };

/** Sizes of a part. @returns undefined where it does not lie inside the tensor */
export function partDims({ dims, extents }: PartOfTensor): number[] | undefined {
  if (dims.length !== extents.length) return undefined;
  const sizes = extents.map(({ start, length }, axis) => {
    const size = dims[axis] ?? 0;
    if (length === -1) return start === 0 ? size : undefined;
    return start >= 0 && length >= 0 && start + length <= size ? length : undefined;
  });
  return sizes.every((size) => size !== undefined) ? sizes : undefined;
}

/** Puts a part's elements where they belong in `whole` (`put`), or takes them from there (`take`); both are row by row. */
export function copyPart(
  direction: 'put' | 'take',
  whole: Uint8Array,
  partBytes: Uint8Array,
  part: PartOfTensor,
  elementBytes: number,
): void {
  const sizes = partDims(part) ?? [];
  if (partBytes.byteLength === 0) return;
  // Runs of elements that lie together in both: the last dimensions, up to the first that is not whole.
  let inner = sizes.length;
  let run = elementBytes;
  while (inner > 0) {
    inner--;
    run *= sizes[inner] ?? 1;
    if (sizes[inner] !== part.dims[inner]) break;
  }
  const strides: number[] = [];
  for (let axis = sizes.length - 1, stride = elementBytes; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= part.dims[axis] ?? 1;
  }
  const start = part.extents.reduce((sum, extent, axis) => sum + extent.start * (strides[axis] ?? 0), 0);
  for (let index = 0; index * run < partBytes.byteLength; index++) {
    let at = start;
    for (let axis = inner - 1, rest = index; axis >= 0; axis--) {
      const size = sizes[axis] ?? 1;
      at += (rest % size) * (strides[axis] ?? 0);
      rest = Math.floor(rest / size);
    }
    const piece = partBytes.subarray(index * run, (index + 1) * run);
    if (direction === 'put') whole.set(piece, at);
    else piece.set(whole.subarray(at, at + run));
  }
}

/**
 * The key under which a bundle holds a part: LevelDB's order-preserving code (OrderedCode) of 0, the name, the rank, and start and length of
 * each extent. https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/saved_tensor_slice_util.cc
 */
export function partKey(name: string, extents: readonly Extent[]): Uint8Array {
  const bytes: number[] = [];
  putNumber(bytes, 0);
  for (const byte of new TextEncoder().encode(name)) {
    bytes.push(byte);
    if (byte === 0) bytes.push(0xff);
    else if (byte === 0xff) bytes.push(0);
  }
  bytes.push(0, 1);
  putNumber(bytes, extents.length);
  for (const { start, length } of extents) {
    putSigned(bytes, start);
    putSigned(bytes, length);
  }
  return Uint8Array.from(bytes);
}

/** How many bytes follow, then these, high ones first. */
function putNumber(bytes: number[], number: number): void {
  const digits = bigEndian(number);
  bytes.push(digits.length, ...digits);
}

/** As in UTF-8, the first bits say how many bytes there are; here for numbers from -64. */
function putSigned(bytes: number[], number: number): void {
  if (number < 64) {
    bytes.push((number & 0xff) ^ 0x80);
    return;
  }
  const bits = Math.floor(Math.log2(number)) + 1;
  const length = Math.floor(bits / 7) + 1;
  const digits = bigEndian(number);
  const padded = [...new Array<number>(Math.max(0, length - digits.length)).fill(0), ...digits];
  const header = 0x10000 - 2 ** (16 - length);
  padded[0] = (padded[0] ?? 0) ^ (header >>> 8);
  if (length > 8) padded[1] = (padded[1] ?? 0) ^ (header & 0xff);
  bytes.push(...padded);
}

function bigEndian(number: number): number[] {
  const digits: number[] = [];
  for (let rest = number; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return digits;
}
