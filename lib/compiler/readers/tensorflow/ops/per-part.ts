/** Ops that treat the real and the imaginary parts of complex numbers alike, and apart. */

import type { Value } from '../../../ir/value.js';
import { isComplex, OpCall, type Operand, type OpLowering, type OpTable } from '../op-call.js';

/** Lowers an op twice where one of its inputs is complex; inputs that are real (axes, shapes) are those of both. */
export function perPart(lowering: OpLowering): OpLowering {
  return (call) => {
    if (!call.operands.some(isComplex)) return lowering(call);
    const part = (which: 'real' | 'imaginary') => {
      const operands = call.operands.map((operand) => (isComplex(operand) ? operand[which] : operand));
      const outputs = lowering(new OpCall(call.builder, call.node, operands, call.callFunction));
      return Array.isArray(outputs) ? (outputs as readonly (Operand | undefined)[]) : [outputs as Operand];
    };
    const [real, imaginary] = [part('real'), part('imaginary')];
    return real.map((value, index): Operand | undefined => {
      const other = imaginary[index];
      return value === undefined || other === undefined
        ? undefined
        : { real: value as Value, imaginary: other as Value };
    });
  };
}

/** `perPart` of every op of a table. */
export function allPerPart(table: OpTable): OpTable {
  return Object.fromEntries(Object.entries(table).map(([op, lowering]) => [op, perPart(lowering)]));
}
