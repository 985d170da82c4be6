/** Outputs that hold one score per class, row by row. */
import type { Signature, Task } from '../../artifact/manifest.js';
import { ConfigurationError, RuntimeError } from '../../errors.js';
import type { RuntimeTensor } from '../runtime/session.js';
import type { Outputs } from './metric.js';
import { numbersOf } from './tensor-numbers.js';

/** Above it the only score of a row means yes. */
const YES = 0.5;

/** The output that a metric of classes reads: the task's, else the first with floating-point numbers. */
export function scoreOutputOf(task: Task, signature: Signature): string {
  if ('output' in task && typeof task.output === 'string') return task.output;
  const found = signature.outputs.find(({ dataType }) => ['float32', 'float16', 'float64'].includes(dataType));
  if (found !== undefined) return found.name;
  throw new ConfigurationError({
    code: 'METRIC_OUTPUT',
    message: `None of the outputs ${signature.outputs.map(({ name }) => `'${name}'`).join(', ')} holds scores.`,
    advice: 'Choose a metric that compares outputs as they are: max-abs or snr.',
  });
}

/** The named output of one step. @throws RuntimeError METRIC_OUTPUT_MISSING */
export function outputNamed(outputs: Outputs[number] | undefined, name: string): RuntimeTensor {
  const output = outputs?.[name];
  if (output !== undefined) return output;
  throw new RuntimeError({
    code: 'METRIC_OUTPUT_MISSING',
    message: `The model did not answer with '${name}', which the metric reads, but with ${Object.keys(outputs ?? {}).join(', ') || 'nothing'}.`,
    advice: 'Mend the output of the task in model.json.',
  });
}

/**
 * The class of every row: the index of the largest score (the first of equal ones); where rows have one score, 1 above a half and else 0.
 * Classes lie along the last axis; along the second of a map [N, C, H, W]. NaN is no class: -1.
 */
export function classesOf(tensor: RuntimeTensor): Int32Array {
  const { rows, classes, at } = scoreRows(tensor);
  const found = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    let best = at(row, 0);
    let index = classes === 1 ? Number(best > YES) : 0;
    if (Number.isNaN(best)) index = -1;
    for (let candidate = 1; candidate < classes; candidate++) {
      const score = at(row, candidate);
      if (Number.isNaN(score)) index = -1;
      else if (index >= 0 && score > best) [best, index] = [score, candidate];
    }
    found[row] = index;
  }
  return found;
}

export interface ScoreRows {
  readonly rows: number;
  readonly classes: number;
  readonly at: (row: number, index: number) => number;
}

export function scoreRows(tensor: RuntimeTensor): ScoreRows {
  const numbers = numbersOf(tensor);
  const { dims } = tensor;
  const axis = dims.length === 4 ? 1 : dims.length - 1;
  const classes = dims[axis] ?? 1;
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const rows = classes === 0 ? 0 : numbers.length / classes;
  const at = (row: number, index: number) => {
    const outer = Math.floor(row / inner);
    return numbers[(outer * classes + index) * inner + (row - outer * inner)] ?? Number.NaN;
  };
  return { rows, classes, at };
}
