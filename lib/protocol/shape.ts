import type { Dimension } from '../artifact/manifest.js';
import { badRequest, quoted, shapeText } from './bad-request.js';

/** More elements than any body that reaches a function can describe; sizes stay exact in a double and in onnxruntime's own sums. */
const MAX_ELEMENTS = 2 ** 31 - 1;
const MAX_RANK = 32;

/**
 * A request's `shape`.
 *
 * @param label how errors call the tensor, for example `input "images"`
 * @throws RequestError `SHAPE_INVALID`, `SHAPE_TOO_LARGE`
 */
export function readShape(value: unknown, label: string): number[] {
  if (
    !Array.isArray(value) ||
    value.length > MAX_RANK ||
    !value.every((size) => Number.isSafeInteger(size) && size >= 0)
  ) {
    throw badRequest(
      'SHAPE_INVALID',
      `The shape of ${label} is ${Array.isArray(value) ? 'no list of sizes' : quoted(value)}.`,
      `Send "shape" as an array of at most ${MAX_RANK} integers from 0, for example [1, 3, 224, 224].`,
    );
  }
  // Every element was just seen to be an integer.
  const shape = value as number[];
  // Zeros count as one here: a tensor without elements must not smuggle in sizes that no tensor could have.
  let product = 1;
  for (const size of shape) {
    product *= Math.max(size, 1);
    if (product > MAX_ELEMENTS) {
      throw badRequest(
        'SHAPE_TOO_LARGE',
        `The shape ${shapeText(shape)} of ${label} describes more than ${MAX_ELEMENTS} elements.`,
        'Send a smaller tensor.',
      );
    }
  }
  return shape;
}

/** How many elements a shape that `readShape` accepted has. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Whether a tensor's shape is one that the signature allows: the same rank, and equal sizes where they are fixed. Named sizes are not
 * compared with each other: exporters give one name to sizes that have nothing to do with each other.
 *
 * @throws RequestError `SHAPE_MISMATCH`
 */
export function checkShape(shape: readonly number[], expected: readonly Dimension[] | null, label: string): void {
  if (expected === null) return;
  const fits =
    shape.length === expected.length &&
    shape.every((size, axis) => typeof expected[axis] !== 'number' || expected[axis] === size);
  if (fits) return;
  throw badRequest(
    'SHAPE_MISMATCH',
    `The shape of ${label} is ${shapeText(shape)}, and the model takes ${shapeText(expected)}.`,
    'Send the rank and the fixed sizes that the model takes; GET /v2/models/{model} shows them, -1 where any size will do.',
  );
}
