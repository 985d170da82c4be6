/** The output that a transcript is read from. */
import type { Signature, Task } from '../../../artifact/manifest.js';
import { scoreOutputOf } from '../class-scores.js';

/** The task's; else the first that holds texts; else the first that holds scores. @throws ConfigurationError METRIC_OUTPUT */
export function firstOutputOf(task: Task, signature: Signature): string {
  if ('output' in task && typeof task.output === 'string') return task.output;
  return signature.outputs.find(({ dataType }) => dataType === 'string')?.name ?? scoreOutputOf(task, signature);
}
