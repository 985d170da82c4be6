/** How far computed elements are from recorded ones. */
import { float16ToNumber } from '../ir/float16.js';
import type { RuntimeTensor } from '../runtime/session.js';

export interface Difference {
  /**
   * max|Δ| / max|y|, both over all elements that are finite in the record; max|Δ| itself where all of these are 0. Infinity where one is
   * NaN or infinite and the other is not the same.
   */
  readonly relativeError: number;
  /** max|y| of the record. */
  readonly largest: number;
  /** The element that strays the most; undefined where all are equal. */
  readonly worst:
    | { readonly index: readonly number[]; readonly recorded: number | string; readonly computed: number | string }
    | undefined;
  /** Elements that are not equal. */
  readonly differing: number;
  /** Whether the record says the same in every element: a model that computes nothing could agree with it. */
  readonly isConstant: boolean;
}

/** Both of the same number of elements, in the same order; texts are equal or not. */
export function differenceOf(recorded: RuntimeTensor, computed: Pick<RuntimeTensor, 'dataType' | 'data'>): Difference {
  const y = readerOf(recorded);
  const x = readerOf(computed);
  const count = recorded.data.length;
  const first = y(0);
  let largest = 0;
  let difference = 0;
  let differing = 0;
  let worst = -1;
  let isConstant = count > 1;
  for (let index = 0; index < count; index++) {
    const expected = y(index);
    const actual = x(index);
    if (!Object.is(expected, first)) isConstant = false;
    if (typeof expected === 'number' && Number.isFinite(expected)) largest = Math.max(largest, Math.abs(expected));
    if (expected === actual || (Number.isNaN(expected) && Number.isNaN(actual))) continue;
    differing++;
    const delta = distance(expected, actual);
    if (delta > difference) {
      difference = delta;
      worst = index;
    }
  }
  return {
    relativeError: difference === 0 ? 0 : difference / (largest || 1),
    largest,
    worst: worst < 0 ? undefined : { index: position(worst, recorded.dims), recorded: y(worst), computed: x(worst) },
    differing,
    isConstant,
  };
}

function distance(expected: number | string, actual: number | string): number {
  if (typeof expected === 'string' || typeof actual === 'string') return Number.POSITIVE_INFINITY;
  const delta = Math.abs(expected - actual);
  return Number.isNaN(delta) ? Number.POSITIVE_INFINITY : delta;
}

function readerOf({ dataType, data }: Pick<RuntimeTensor, 'dataType' | 'data'>): (index: number) => number | string {
  if (dataType === 'string') return (index) => String(data[index]);
  if (dataType === 'float16') return (index) => float16ToNumber(Number(data[index]));
  return (index) => Number(data[index]);
}

/** The position of an element in a tensor of those dimensions. */
function position(element: number, dims: readonly number[]): number[] {
  const index: number[] = [];
  let rest = element;
  for (const size of [...dims].reverse()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index;
}
