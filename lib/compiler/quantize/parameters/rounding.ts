/** Rounding as IEEE 754 and QuantizeLinear do it, which Math.round does not. */

/** Adding and subtracting 1.5 · 2^52 leaves a double no room for a fraction; the processor rounds half to even. */
const SHIFT = 1.5 * 2 ** 52;
const LIMIT = 2 ** 51;

/** The nearest integer, of two equally near the even one. */
export function roundHalfToEven(value: number): number {
  // From here on up a double has no halves; also NaN.
  if (!(Math.abs(value) < LIMIT)) return Math.abs(value) < 2 ** 53 ? roundLarge(value) : value;
  return value + SHIFT - SHIFT;
}

/** Between 2^51 and 2^52 there are still halves. */
function roundLarge(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return floor + (rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? 1 : 0);
}
