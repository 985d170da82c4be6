/** The operators of a subgraph, one after another, by the tables. */
import type { TfliteModel, TfliteOperator } from '../../formats/tflite/model.js';
import { optionsAs } from '../../formats/tflite/options.js';
import { UnsupportedOperations } from '../unsupported-operations.js';
import { lowerOperator } from './lower-operator.js';
import type { OperatorEntry } from './operator-table.js';
import { CUSTOM_OPERATORS, OPERATORS } from './operators/all.js';
import type { TensorScope } from './tensor-scope.js';

export function lowerSubgraph(scope: TensorScope): void {
  for (const operator of scope.subgraph.operators) {
    const entry = entryOf(operator);
    if (entry === undefined) throw new RangeError(`${operator.code} was not checked`);
    lowerOperator(scope, operator, entry);
  }
}

/** @throws ReaderError OPERATOR_UNSUPPORTED for operators that no table has, in the subgraph and those that it calls */
export function checkOperators({ subgraphs }: TfliteModel, main: number): void {
  const unsupported = new UnsupportedOperations('operator');
  const reached = new Set([main]);
  // Grows while it is gone through.
  for (const index of reached) {
    const subgraph = subgraphs[index];
    for (const operator of subgraph?.operators ?? []) {
      if (entryOf(operator) === undefined) {
        const [output] = operator.outputs;
        const name = output === undefined ? '' : (subgraph?.tensors[output]?.name ?? '');
        unsupported.add(kindOf(operator), name, refusalOf(operator));
      }
      for (const called of calledSubgraphs(operator)) reached.add(called);
    }
  }
  unsupported.check();
}

function entryOf({ code, customCode }: TfliteOperator): OperatorEntry | undefined {
  const [table, name]: readonly [Readonly<Record<string, OperatorEntry>>, string] =
    code === 'CUSTOM' ? [CUSTOM_OPERATORS, customCode] : [OPERATORS, code];
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function kindOf({ code, customCode }: TfliteOperator): string {
  return code === 'CUSTOM' ? customCode || 'CUSTOM' : code;
}

function refusalOf({ code, customCode }: TfliteOperator): { readonly reason?: string } {
  if (code !== 'CUSTOM') return {};
  return customCode.startsWith('Flex')
    ? { reason: 'an operator of TensorFlow that TensorFlow Lite takes over with SELECT_TF_OPS' }
    : { reason: 'a custom operator, whose code is in the application and not in the file' };
}

function calledSubgraphs({ code, options }: TfliteOperator): readonly number[] {
  if (code === 'IF') {
    const branches = optionsAs(options, 'IfOptions');
    return branches === undefined ? [] : [branches.thenSubgraph, branches.elseSubgraph];
  }
  if (code === 'WHILE') {
    const loop = optionsAs(options, 'WhileOptions');
    return loop === undefined ? [] : [loop.conditionSubgraph, loop.bodySubgraph];
  }
  return [];
}
