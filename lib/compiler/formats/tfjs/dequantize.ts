/** Weights that tensorflowjs_converter stored in fewer bits (--quantize_uint8, --quantize_uint16, --quantize_float16). */

export type Quantization =
  | { readonly dataType: 'uint8' | 'uint16'; readonly scale: number; readonly minimum: number }
  | { readonly dataType: 'float16' };

/**
 * As tfjs's decodeWeights: float32 `q × scale + minimum`, computed in float64 and rounded once; int32 the same, rounded half up as
 * JavaScript rounds. float16 is widened.
 */
export function dequantize(
  stored: Uint8Array,
  count: number,
  quantization: Quantization,
  toIntegers: boolean,
): Uint8Array {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const result = toIntegers ? new Int32Array(count) : new Float32Array(count);
  if (quantization.dataType === 'float16') {
    for (let index = 0; index < count; index++) result[index] = float16(view.getUint16(2 * index, true));
  } else {
    const { scale, minimum, dataType } = quantization;
    const read =
      dataType === 'uint8' ? (at: number) => view.getUint8(at) : (at: number) => view.getUint16(2 * at, true);
    for (let index = 0; index < count; index++) {
      const number = read(index) * scale + minimum;
      result[index] = toIntegers ? Math.round(number) : number;
    }
  }
  return new Uint8Array(result.buffer);
}

/** The value of binary16 bits. The IR has this too, but formats know nothing of it. */
function float16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
