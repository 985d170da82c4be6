/** Which of a loop's values count its steps, and how many there are. */
import type { Value } from '../../ir/value.js';
import { isSameSize, type KnownElement, knownElements, knownNumbers } from '../../lowering/known-elements.js';

export class StepCounters {
  readonly #counters = new Set<Value>();
  /** What counters stay below while the loop goes on, where it asks for nothing else. */
  readonly limits: readonly Value[] | undefined;

  /**
   * @param initial a loop's values before the first step
   * @param values what its body is given
   * @param results what the body gives back
   * @param condition of the results
   */
  constructor(initial: readonly Value[], values: readonly Value[], results: readonly Value[], condition: Value) {
    const next = new Set<Value>();
    for (const [index, value] of values.entries()) {
      const [start, result] = [initial[index], results[index]];
      if (result === undefined || start === undefined || knownNumbers(start)?.[0] !== 0) continue;
      const { producer } = result;
      const [a, b] = producer?.is('Add') ? producer.inputs : [];
      const step = a === value ? b : b === value ? a : undefined;
      if (step === undefined || knownNumbers(step)?.[0] !== 1) continue;
      this.#counters.add(value);
      next.add(result);
    }
    this.limits = limitsOf(condition, next);
  }

  /** Whether a value the body is given is 0 at the first step, 1 at the second, and so on. */
  isCounter(value: Value): boolean {
    return this.#counters.has(value);
  }

  /** Whether an index goes through so many places, each once and in order. */
  countsTo(index: Value, count: KnownElement): boolean {
    if (!this.#counters.has(index) || this.limits === undefined || this.limits.length === 0) return false;
    return this.limits.every((limit) => isSameSize(knownElements(limit)?.[0], count));
  }
}

function limitsOf(condition: Value, counters: ReadonlySet<Value>): readonly Value[] | undefined {
  const { producer } = condition;
  const [a, b] = producer?.inputs ?? [];
  if (a === undefined) return undefined;
  if (producer?.is('Identity', 'Reshape')) return limitsOf(a, counters);
  if (b === undefined) return undefined;
  if (producer?.is('Less')) return counters.has(a) ? [b] : undefined;
  if (!producer?.is('And')) return undefined;
  const [left, right] = [limitsOf(a, counters), limitsOf(b, counters)];
  return left === undefined || right === undefined ? undefined : [...left, ...right];
}
