/**
 * Quantized tensors: real = scale · (stored - zero point), https://ai.google.dev/edge/litert/models/quantization_spec. What was quantized
 * stays so: ONNX's QuantizeLinear and DequantizeLinear stand around each operator, and runtimes fuse them into it.
 */
import type { TfliteQuantization, TfliteTensor } from '../../formats/tflite/model.js';
import { attribute } from '../../ir/attribute.js';
import { Tensor } from '../../ir/tensor.js';
import type { Value } from '../../ir/value.js';
import { binary, cast, clip, unary } from '../../lowering/elementwise.js';
import { type GraphBuilder, typeOf } from '../../lowering/graph-builder.js';
import { ReaderError } from '../reader-error.js';
import { elementTypeOf } from './constants.js';

/** Types whose numbers stand for real ones where a tensor has scales. */
const QUANTIZED_RANGES = {
  INT4: [-8, 7],
  UINT4: [0, 15],
  INT8: [-128, 127],
  UINT8: [0, 255],
  INT16: [-32768, 32767],
} as const;

type QuantizedType = keyof typeof QUANTIZED_RANGES;

/** What holds the stored numbers here. */
const STORAGE = { INT4: 'INT8', UINT4: 'UINT8', INT8: 'INT8', UINT8: 'UINT8', INT16: 'INT16' } as const;

export interface QuantizedTensor extends TfliteTensor {
  readonly type: QuantizedType;
  readonly quantization: TfliteQuantization;
}

export function isQuantized(tensor: TfliteTensor): tensor is QuantizedTensor {
  return tensor.quantization !== undefined && Object.hasOwn(QUANTIZED_RANGES, tensor.type);
}

/** Whether two quantized tensors stand for the same real numbers where they hold the same. */
export function sameQuantization(a: QuantizedTensor, b: QuantizedTensor): boolean {
  const [x, y] = [a.quantization, b.quantization];
  return (
    elementTypeOf(a) === elementTypeOf(b) &&
    x.scales.length === y.scales.length &&
    x.scales.every((scale, index) => scale === y.scales[index]) &&
    x.zeroPoints.every((zeroPoint, index) => zeroPoint === y.zeroPoints[index]) &&
    (x.scales.length === 1 || x.dimension === y.dimension)
  );
}

/** The least and the most that a tensor stores. */
export function storedRange({ type }: QuantizedTensor): readonly [number, number] {
  return QUANTIZED_RANGES[type];
}

/** ONNX before opset 21 quantizes to 8 bits only. */
export function isEightBit({ type }: QuantizedTensor): boolean {
  return type !== 'INT16';
}

/** The real numbers of stored ones. @param axis where the dimension of the scales is now; default where the file has it */
export function dequantize(
  builder: GraphBuilder,
  stored: Value,
  tensor: QuantizedTensor,
  axis = tensor.quantization.dimension,
): Value {
  const { scales, zeroPoints } = tensor.quantization;
  const { shape } = typeOf(stored);
  const isPerAxis = scales.length > 1;
  if (isEightBit(tensor)) {
    const dims = isPerAxis ? [scales.length] : [];
    const inputs = [stored, builder.floats(scales, dims), zeroPointsOf(builder, tensor, dims)];
    const attributes = isPerAxis ? { axis: attribute.int(axis) } : {};
    return builder.node('DequantizeLinear', inputs, { elementType: 'float32', shape }, { attributes });
  }
  const dims = isPerAxis ? shape.map((_, index) => (index === axis ? scales.length : 1)) : [];
  const number = cast(builder, stored, 'float32');
  const isCentered = zeroPoints.every((zeroPoint) => zeroPoint === 0);
  const centered = isCentered ? number : binary(builder, 'Sub', number, builder.floats(zeroPoints, dims));
  return binary(builder, 'Mul', centered, builder.floats(scales, dims));
}

function zeroPointsOf(builder: GraphBuilder, tensor: QuantizedTensor, dims: readonly number[]): Value {
  const elementType = elementTypeOf(tensor);
  const [least, most] = QUANTIZED_RANGES[tensor.type];
  const { zeroPoints } = tensor.quantization;
  if (!zeroPoints.every((zeroPoint) => zeroPoint >= least && zeroPoint <= most)) {
    throw invalid(
      tensor,
      `has the zero points [${zeroPoints.slice(0, 8).join(', ')}], which ${tensor.type} does not hold`,
    );
  }
  return builder.constant(Tensor.fromNumbers(elementType, dims, zeroPoints));
}

/** Bounds of real numbers; undefined where there is none. */
export interface RealBounds {
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
}

/**
 * Stored numbers for real ones, half to even, cut at the ends of the type.
 * @param bounds of a fused activation, which are rounded and applied to the stored numbers, as TensorFlow Lite does
 */
export function quantize(builder: GraphBuilder, real: Value, tensor: QuantizedTensor, bounds?: RealBounds): Value {
  const { scales, zeroPoints } = tensor.quantization;
  const [scale = 1] = scales;
  const [zeroPoint = 0] = zeroPoints;
  if (scales.length > 1) throw invalid(tensor, 'is computed and has a scale for each index of a dimension');
  if (scale === 0) throw invalid(tensor, 'is computed and has a scale of 0');
  const elementType = elementTypeOf(tensor);
  const [minimum, maximum] = storedBounds(tensor, bounds, scale, zeroPoint);
  const { shape } = typeOf(real);
  if (isEightBit(tensor)) {
    const inputs = [real, builder.scalar(scale), zeroPointsOf(builder, tensor, [])];
    const stored = builder.node('QuantizeLinear', inputs, { elementType, shape });
    return cut(builder, stored, minimum, maximum);
  }
  const [least, most] = QUANTIZED_RANGES[tensor.type];
  const rounded = unary(builder, 'Round', binary(builder, 'Div', real, builder.scalar(scale)));
  const shifted = zeroPoint === 0 ? rounded : binary(builder, 'Add', rounded, builder.scalar(zeroPoint));
  return cast(builder, clip(builder, shifted, minimum ?? least, maximum ?? most), elementType);
}

/** Stored numbers behind a fused activation. */
export function clipStored(
  builder: GraphBuilder,
  stored: Value,
  tensor: QuantizedTensor,
  bounds: RealBounds | undefined,
): Value {
  if (bounds === undefined) return stored;
  const { scales, zeroPoints } = tensor.quantization;
  return cut(builder, stored, ...storedBounds(tensor, bounds, scales[0] ?? 1, zeroPoints[0] ?? 0));
}

function cut(builder: GraphBuilder, x: Value, minimum: number | undefined, maximum: number | undefined): Value {
  return minimum === undefined && maximum === undefined ? x : clip(builder, x, minimum, maximum);
}

/** Those bounds that are narrower than what the storage cuts by itself. */
function storedBounds(
  { type }: QuantizedTensor,
  bounds: RealBounds | undefined,
  scale: number,
  zeroPoint: number,
): readonly [number | undefined, number | undefined] {
  const [least, most] = QUANTIZED_RANGES[type];
  const [storageLeast, storageMost] = QUANTIZED_RANGES[STORAGE[type]];
  // Away from zero at halves, as std::round.
  const stored = (real: number) => zeroPoint + Math.sign(real) * Math.round(Math.abs(real) / scale);
  const minimum = bounds?.minimum === undefined ? least : stored(bounds.minimum);
  const maximum = bounds?.maximum === undefined ? most : stored(bounds.maximum);
  return [
    minimum > storageLeast ? Math.min(Math.max(minimum, least), most) : undefined,
    maximum < storageMost ? Math.max(Math.min(maximum, most), least) : undefined,
  ];
}

/** A quantized constant's real numbers, computed here: weights of operators that compute in float32. */
export function dequantizedConstant(stored: Tensor, { quantization, shape }: QuantizedTensor): Tensor {
  const { scales, zeroPoints, dimension } = quantization;
  const numbers = stored.typed();
  const result = new Float32Array(numbers.length);
  const inner = shape.slice(dimension + 1).reduce((product, size) => product * size, 1);
  for (let index = 0; index < result.length; index++) {
    const channel = scales.length === 1 ? 0 : Math.floor(index / inner) % scales.length;
    result[index] = (scales[channel] ?? 1) * (Number(numbers[index]) - (zeroPoints[channel] ?? 0));
  }
  return Tensor.fromTyped('float32', stored.dims, result);
}

function invalid({ name }: TfliteTensor, what: string): ReaderError {
  return new ReaderError({
    code: 'QUANTIZATION_INVALID',
    message: `The quantized tensor '${name}' ${what}.`,
    advice: 'The file is damaged or was written by a faulty exporter; export it again.',
  });
}
