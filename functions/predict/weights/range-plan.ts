/** A part of an object: bytes from `start` up to, not including, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Cuts `bytes` into ranges of `rangeBytes`, in order, the last one shorter where they do not divide.
 *
 * @throws RangeError when a size is not a whole number, or `rangeBytes` is below 1
 */
export function planRanges(bytes: number, rangeBytes: number): ByteRange[] {
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw new RangeError(`bytes is ${bytes}`);
  if (!Number.isSafeInteger(rangeBytes) || rangeBytes < 1) throw new RangeError(`rangeBytes is ${rangeBytes}`);
  return Array.from({ length: Math.ceil(bytes / rangeBytes) }, (_, index) => ({
    start: index * rangeBytes,
    end: Math.min(bytes, (index + 1) * rangeBytes),
  }));
}
