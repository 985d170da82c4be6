/** Division with the quotient rounded down, NumPy's `//` and `%`; ONNX's Div of integers rounds towards zero. */
import { attribute } from '../ir/attribute.js';
import { isFloatingPoint } from '../ir/element-type.js';
import type { Value } from '../ir/value.js';
import { binary, compare, unary, where } from './elementwise.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { broadcastShapes, shapeOf } from './shape.js';

/** ⌊a / b⌋, of floating-point numbers or integers of one type. */
export function floorDivide(builder: GraphBuilder, a: Value, b: Value): Value {
  if (isFloatingPoint(elementTypeOf(a))) return unary(builder, 'Floor', binary(builder, 'Div', a, b));
  return binary(builder, 'Div', binary(builder, 'Sub', a, floorModulo(builder, a, b)), b);
}

/** a - b · ⌊a / b⌋, which has the sign of b. Of floating-point numbers without the rounding of that formula: by fmod. */
export function floorModulo(builder: GraphBuilder, a: Value, b: Value): Value {
  const elementType = elementTypeOf(a);
  // ONNX's Mod of integers has the sign of b.
  if (!isFloatingPoint(elementType)) return binary(builder, 'Mod', a, b);
  const type = { ...typeOf(a), shape: broadcastShapes(shapeOf(a), shapeOf(b)) };
  const rest = builder.node('Mod', [a, b], type, { attributes: { fmod: attribute.int(1) } });
  const zero = builder.scalar(0, elementType);
  const signsDiffer = binary(builder, 'Xor', compare(builder, 'Less', rest, zero), compare(builder, 'Less', b, zero));
  const isRest = unary(builder, 'Not', compare(builder, 'Equal', rest, zero));
  return where(builder, binary(builder, 'And', isRest, signsDiffer), binary(builder, 'Add', rest, b), rest);
}
