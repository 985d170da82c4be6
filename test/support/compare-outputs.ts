/** Tensors of onnxruntime and of the IR, and whether what two models return is the same. */
import { type OnnxValue, Tensor as OrtTensor } from 'onnxruntime-node';
import type { ElementType } from '../../lib/compiler/ir/element-type.js';
import { elementBits, isFloatingPoint } from '../../lib/compiler/ir/element-type.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';

const decoder = new TextDecoder();

export function toOrt(tensor: Tensor): OrtTensor {
  const data =
    tensor.storage.kind === 'strings' ? tensor.storage.strings.map((text) => decoder.decode(text)) : tensor.typed();
  // The constructor's overloads cannot be matched by a union of element types.
  return new OrtTensor(tensor.elementType as 'float32', data as Float32Array, tensor.dims);
}

export function toOrtFeeds(feeds: Readonly<Record<string, Tensor>>): Record<string, OrtTensor> {
  return Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)]));
}

export function fromOrt(value: OnnxValue): Tensor {
  const { type, dims, data } = value as OrtTensor;
  if (type === 'string') {
    const strings = (data as string[]).map((text) => new TextEncoder().encode(text));
    return new Tensor('string', dims, { kind: 'strings', strings });
  }
  return Tensor.fromTyped(type as ElementType, dims, data as Float32Array);
}

/** Where two tensors differ, or undefined if they are equal bit for bit; every NaN equals every other, for CPUs make different ones. */
export function difference(actual: Tensor, expected: Tensor): string | undefined {
  if (actual.elementType !== expected.elementType) return `${actual.elementType} in place of ${expected.elementType}`;
  if (String(actual.dims) !== String(expected.dims)) return `shape [${actual.dims}] in place of [${expected.dims}]`;
  if (actual.storage.kind === 'strings' || expected.storage.kind === 'strings') {
    const [a, b] = [actual, expected].map(({ storage }) =>
      storage.kind === 'strings' ? storage.strings.map((text) => decoder.decode(text)) : [],
    );
    return JSON.stringify(a) === JSON.stringify(b)
      ? undefined
      : `${JSON.stringify(a)} in place of ${JSON.stringify(b)}`;
  }
  const [a, b] = [actual.bytes(), expected.bytes()];
  if (Buffer.compare(a, b) === 0) return undefined;
  const size = elementBits(expected.elementType) / 8;
  const [x, y] = [actual.typed(), expected.typed()];
  for (let index = 0; index < x.length; index++) {
    const same =
      Buffer.compare(a.subarray(index * size, (index + 1) * size), b.subarray(index * size, (index + 1) * size)) === 0;
    const bothNaN = isFloatingPoint(expected.elementType) && isNaNAt(actual, index) && isNaNAt(expected, index);
    if (!same && !bothNaN) return `element ${index} is ${format(x[index])} in place of ${format(y[index])}`;
  }
  return undefined;
}

function isNaNAt(tensor: Tensor, index: number): boolean {
  const size = elementBits(tensor.elementType) / 8;
  const one = new Tensor(tensor.elementType, [], {
    kind: 'bytes',
    bytes: tensor.bytes().slice(index * size, (index + 1) * size),
  });
  return Number.isNaN(one.numbers()[0]);
}

function format(element: number | bigint | undefined): string {
  return Object.is(element, -0) ? '-0' : String(element);
}

/** Throws where the outputs of two models are not equal bit for bit. */
export function expectEqualOutputs(
  actual: Readonly<Record<string, OnnxValue>>,
  expected: Readonly<Record<string, OnnxValue>>,
): void {
  const names = Object.keys(expected);
  if (String(Object.keys(actual)) !== String(names))
    throw new Error(`outputs ${Object.keys(actual)} in place of ${names}`);
  for (const name of names) {
    const [a, b] = [actual[name], expected[name]];
    if (a === undefined || b === undefined) continue;
    const found = difference(fromOrt(a), fromOrt(b));
    if (found !== undefined) throw new Error(`output '${name}': ${found}`);
  }
}

/** max|Δ| / max|y| over all outputs; Infinity where types, shapes, or NaNs and infinities differ. */
export function largestRelativeDifference(
  actual: Readonly<Record<string, OnnxValue>>,
  expected: Readonly<Record<string, OnnxValue>>,
): number {
  let largest = 0;
  for (const [name, value] of Object.entries(expected)) {
    const other = actual[name];
    const [a, b] = [other === undefined ? undefined : fromOrt(other), fromOrt(value)];
    if (a === undefined || a.elementType !== b.elementType || String(a.dims) !== String(b.dims))
      return Number.POSITIVE_INFINITY;
    if (!isFloatingPoint(b.elementType)) {
      if (difference(a, b) !== undefined) return Number.POSITIVE_INFINITY;
      continue;
    }
    const [x, y] = [a.numbers(), b.numbers()];
    const scale = y.reduce((max, number) => (Number.isFinite(number) ? Math.max(max, Math.abs(number)) : max), 0);
    for (const [index, number] of y.entries()) {
      const got = x[index] ?? Number.NaN;
      if (Object.is(got, number) || got === number) continue;
      if (!Number.isFinite(number) || !Number.isFinite(got)) return Number.POSITIVE_INFINITY;
      largest = Math.max(largest, Math.abs(got - number) / (scale || 1));
    }
  }
  return largest;
}
