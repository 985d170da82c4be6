/** Activations that an operator applies to its result: enum ActivationFunctionType of schema.fbs. */
import type { Value } from '../../ir/value.js';
import { clip, unary } from '../../lowering/elementwise.js';
import type { GraphBuilder } from '../../lowering/graph-builder.js';
import type { RealBounds } from './quantization.js';

const BOUNDS: Readonly<Record<number, RealBounds>> = {
  1: { minimum: 0, maximum: undefined },
  2: { minimum: -1, maximum: 1 },
  3: { minimum: 0, maximum: 6 },
};
const TANH = 4;

/** The bounds of an activation that cuts and does nothing else. */
export function boundsOf(activation: number): RealBounds | undefined {
  return BOUNDS[activation];
}

/** Undefined for one that is not known. */
export function applyActivation(builder: GraphBuilder, x: Value, activation: number): Value | undefined {
  if (activation === 0) return x;
  if (activation === TANH) return unary(builder, 'Tanh', x);
  const bounds = BOUNDS[activation];
  if (bounds === undefined) return undefined;
  return bounds.maximum === undefined ? unary(builder, 'Relu', x) : clip(builder, x, bounds.minimum, bounds.maximum);
}
