/** The metrics by name. */
import type { Signature, Task } from '../../artifact/manifest.js';
import { ConfigurationError } from '../../errors.js';
import { accuracy, agreement } from './accuracy.js';
import { scoreOutputOf } from './class-scores.js';
import { detectionAgreement, meanAveragePrecision } from './detection/mean-average-precision.js';
import { cosine, kl, maxAbs, snr } from './differences.js';
import { f1 } from './f1.js';
import { iou } from './iou.js';
import type { Metric } from './metric.js';
import { errorRate } from './text/error-rate.js';
import { firstOutputOf } from './text/first-output.js';

type MakeMetric = (task: Task, signature: Signature) => Metric;

const METRICS: Readonly<Record<string, MakeMetric>> = {
  accuracy: (task, signature) => accuracy(scoreOutputOf(task, signature)),
  f1: (task, signature) => f1({ output: scoreOutputOf(task, signature) }),
  'f1-binary': (task, signature) => f1({ output: scoreOutputOf(task, signature), average: 'binary' }),
  'f1-macro': (task, signature) => f1({ output: scoreOutputOf(task, signature), average: 'macro' }),
  map: (task) => meanAveragePrecision(detectionTask(task, 'map'), 'coco'),
  map50: (task) => meanAveragePrecision(detectionTask(task, 'map50'), 'half'),
  iou: (task, signature) => iou({ output: scoreOutputOf(task, signature) }),
  wer: (task, signature) => errorRate('word', transcriptOptions(task, signature)),
  cer: (task, signature) => errorRate('character', transcriptOptions(task, signature)),
  agreement: (task, signature) =>
    task.type === 'object-detection' ? detectionAgreement(task) : agreement(scoreOutputOf(task, signature)),
  snr,
  cosine,
  kl: (task, signature) => kl(scoreOutputOf(task, signature)),
  'max-abs': maxAbs,
};

export const METRIC_NAMES: readonly string[] = Object.keys(METRICS);

/**
 * @throws ConfigurationError METRIC_UNKNOWN listing the names, METRIC_TASK for one that the task cannot have, METRIC_OUTPUT for a model
 * without scores
 */
export function metricFor(name: string, task: Task, signature: Signature): Metric {
  const make = Object.hasOwn(METRICS, name) ? METRICS[name] : undefined;
  if (make !== undefined) return make(task, signature);
  throw new ConfigurationError({
    code: 'METRIC_UNKNOWN',
    message: `There is no metric '${name}'.`,
    advice: `Use one of ${METRIC_NAMES.join(', ')}.`,
  });
}

function detectionTask(task: Task, metric: string) {
  if (task.type === 'object-detection') return task;
  throw new ConfigurationError({
    code: 'METRIC_TASK',
    message: `The metric '${metric}' judges boxes, and the task is '${task.type}'.`,
    advice: 'Declare the task object-detection with its decoder in model.json, or choose another metric.',
  });
}

function transcriptOptions(task: Task, signature: Signature) {
  const vocabulary = 'labels' in task && Array.isArray(task.labels) ? (task.labels as readonly string[]) : undefined;
  return { output: firstOutputOf(task, signature), ...(vocabulary === undefined ? {} : { vocabulary }) };
}
