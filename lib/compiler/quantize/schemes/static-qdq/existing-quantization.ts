/** Quantization that a file brings along: it stays, and what is quantized next to it fits to it. */
import type { IntegerType, QuantizationParameters } from '../../../../artifact/recipe.js';
import type { Node } from '../../../ir/node.js';
import type { Value } from '../../../ir/value.js';

const TYPES: ReadonlySet<string> = new Set<IntegerType>(['int8', 'uint8', 'int16', 'uint16']);

/** QuantizeLinear or DequantizeLinear of any domain. */
export function isQuantization(node: Node | undefined, opType: 'QuantizeLinear' | 'DequantizeLinear'): boolean {
  return node?.opType === opType;
}

/** The parameters of a value that a DequantizeLinear of one constant scale returns. */
export function existingParameters(value: Value): QuantizationParameters | undefined {
  const { producer } = value;
  if (producer === undefined || !isQuantization(producer, 'DequantizeLinear')) return undefined;
  const [scale, zeroPoint] = [producer.constantInput(1), producer.constantInput(2)];
  if (scale?.elementType !== 'float32' || scale.count !== 1) return undefined;
  const dataType = zeroPoint?.elementType;
  if (zeroPoint === undefined || dataType === undefined || !TYPES.has(dataType)) return undefined;
  return {
    tensor: value.name,
    dataType: dataType as IntegerType,
    scale: scale.numbers(),
    zeroPoint: zeroPoint.numbers(),
  };
}

/** Whether all that a node reads comes from a DequantizeLinear, or its weights do. */
export function isQuantizedAlready(node: Node): boolean {
  const fromQuantized = (index: number) => isQuantization(node.input(index)?.producer, 'DequantizeLinear');
  if (node.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul') && fromQuantized(1)) return true;
  return fromQuantized(0) && node.outputs.every((value) => value !== undefined && isReadQuantized(value));
}

/** Whether a QuantizeLinear is all that reads a value. */
export function isReadQuantized(value: Value): boolean {
  return value.soleConsumer !== undefined && isQuantization(value.soleConsumer, 'QuantizeLinear');
}
