/** Which nodes compute in half precision. */
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Tensor } from '../../ir/tensor.js';
import type { Value } from '../../ir/value.js';
import { roundToFloat16 } from '../store-float16.js';
import type { ElementTypes } from './element-types.js';
import {
  FLOAT32_INPUTS,
  KEEP_MAGNITUDE,
  OVERFLOWING_OPERATORS,
  SIZE_ARITHMETIC,
  TYPE_BLIND_OPERATORS,
} from './operators.js';

/** A constant loses its meaning where rounding changes it by more than this part of its norm: an epsilon that becomes 0. */
const MAXIMUM_RELATIVE_ERROR = 0.05;

export interface PlacementOptions {
  readonly types: ElementTypes;
  /** Operators that stay in single precision. */
  readonly single: ReadonlySet<string>;
}

/**
 * `half` and `single` nodes read and write all float32 values in that precision; nodes with none are `neutral` and take what they get.
 * Of an If, a Loop or a Scan it is the precision of what enters and leaves its graphs.
 */
export type Precision = 'half' | 'single' | 'neutral';

export class Placement {
  readonly #options: PlacementOptions;
  readonly #precision = new Map<Node, Precision>();
  /** Computed from sizes and whole numbers alone. */
  readonly #sizes = new Set<Value>();
  /** May hold what float16 cannot. */
  readonly #beyond = new Set<Value>();
  readonly #constants = new Map<Tensor, string | undefined>();
  readonly declined: string[] = [];

  constructor(graph: Graph, options: PlacementOptions) {
    this.#options = options;
    this.#visit(graph, false);
  }

  /** Whether any node computes in half precision. */
  get hasHalf(): boolean {
    return [...this.#precision.values()].includes('half');
  }

  of(node: Node): Precision {
    return this.#precision.get(node) ?? 'single';
  }

  /** In which precision the node wants a float32 input; undefined takes either. */
  wants(node: Node, index: number): 'half' | 'single' | undefined {
    if (node.domain === '' && FLOAT32_INPUTS[node.opType]?.includes(index)) return 'single';
    const precision = this.of(node);
    return precision === 'neutral' ? undefined : precision;
  }

  /** @param allSingle inside of control flow that stays as it is */
  #visit(graph: Graph, allSingle: boolean): void {
    for (const node of graph.nodes) {
      const reason = allSingle ? '' : this.#whySingle(node);
      const precision = this.#isNeutral(node) ? 'neutral' : reason === undefined ? 'half' : 'single';
      this.#precision.set(node, precision);
      if (reason && precision === 'single') this.declined.push(`${node.describe()} stays in float32: ${reason}`);
      this.#follow(node, precision);
      for (const [, subgraph] of node.subgraphs()) this.#visit(subgraph, allSingle || precision === 'single');
    }
  }

  /** Reads and writes no float32, or is indifferent to it. */
  #isNeutral(node: Node): boolean {
    const { types } = this.#options;
    const isFloat = (value: Value | undefined) => value !== undefined && types.of(value) === 'float32';
    for (const _ of node.subgraphs()) return false;
    if (node.outputs.some(isFloat)) return false;
    if (node.is('Cast') || (node.domain === '' && TYPE_BLIND_OPERATORS.has(node.opType))) return true;
    return (
      !node.inputs.some(isFloat) && node.outputs.every((value) => value === undefined || types.of(value) !== undefined)
    );
  }

  #whySingle(node: Node): string | undefined {
    if (node.domain !== '') return 'it is of another domain than the standard operators';
    if (this.#options.single.has(node.opType)) return 'it has no float16, or leaves it easily';
    const unknown = this.#unknownAround(node);
    if (unknown !== undefined) return `the element type of '${unknown.name}' is not known, or not one of a tensor`;
    if (isSquare(node)) return 'squares leave float16 easily';
    if (this.#isSizeArithmetic(node)) return 'it computes with sizes, which may exceed float16';
    const beyond = node.inputs.find((value) => value !== undefined && this.#beyond.has(value));
    if (beyond !== undefined) return `'${beyond.name}' may hold what float16 cannot`;
    for (const [index] of node.inputs.entries()) {
      const reason = this.#whyNotConstant(node, index);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  #unknownAround(node: Node): Value | undefined {
    const { types } = this.#options;
    const isUnknown = (value: Value | undefined) => {
      if (value === undefined) return false;
      const type = types.of(value);
      return type === undefined || type === 'opaque';
    };
    const formal = [...node.subgraphs()].flatMap(([, graph]) => [...graph.inputs, ...graph.outputs]);
    return [...node.inputs, ...node.outputs, ...formal].find(isUnknown);
  }

  #isSizeArithmetic(node: Node): boolean {
    const { types } = this.#options;
    if (!SIZE_ARITHMETIC.has(node.opType)) return false;
    if (node.is('Cast')) {
      const from = node.input(0);
      const type = from === undefined ? undefined : types.of(from);
      return type?.startsWith('int') === true || type?.startsWith('uint') === true;
    }
    const floats = node.inputs.filter((value) => value !== undefined && types.of(value) === 'float32');
    return (
      floats.some((value) => value !== undefined && this.#sizes.has(value)) &&
      floats.every((value) => value?.initializer !== undefined || (value !== undefined && this.#sizes.has(value)))
    );
  }

  #whyNotConstant(node: Node, index: number): string | undefined {
    const value = node.input(index);
    const tensor = value?.initializer ?? (node.is('ConstantOfShape') ? node.tensor('value') : undefined);
    if (tensor?.elementType !== 'float32' || FLOAT32_INPUTS[node.opType]?.includes(index)) return undefined;
    if (!this.#constants.has(tensor)) {
      const rounded = roundToFloat16(tensor, MAXIMUM_RELATIVE_ERROR);
      this.#constants.set(tensor, typeof rounded === 'string' ? rounded : undefined);
    }
    const reason = this.#constants.get(tensor);
    return reason === undefined ? undefined : `of '${value?.name ?? 'its value'}' ${reason}`;
  }

  /** What the outputs inherit. */
  #follow(node: Node, precision: Precision): void {
    if (precision !== 'single' || node.domain !== '') return;
    const isBeyond =
      isSquare(node) ||
      (OVERFLOWING_OPERATORS.has(node.opType) && this.#options.single.has(node.opType)) ||
      (node.is('ConstantOfShape') && this.#whyNotConstant(node, 0) !== undefined) ||
      (KEEP_MAGNITUDE.has(node.opType) &&
        node.inputs.some((value, index) => {
          return (value !== undefined && this.#beyond.has(value)) || this.#whyNotConstant(node, index) !== undefined;
        }));
    const isSize = this.#isSizeArithmetic(node);
    for (const value of node.outputs) {
      if (value === undefined) continue;
      if (isBeyond) this.#beyond.add(value);
      if (isSize) this.#sizes.add(value);
    }
  }
}

function isSquare(node: Node): boolean {
  return node.is('Mul') && node.input(0) === node.input(1);
}
