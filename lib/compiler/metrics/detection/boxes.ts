/** Boxes that a task's pipeline finds, and those that are the truth, in pixels of the picture. */
import type { ObjectDetectionTask } from '../../../artifact/task.js';
import { ConfigurationError } from '../../../errors.js';
import { placePhoto } from '../../../tasks/image/placement.js';
import { detectedObjects } from '../../../tasks/object-detection.js';
import type { TensorOutputs } from '../../../tasks/tensors.js';
import type { Feeds, Sample } from '../../data/data-set.js';
import type { RuntimeTensor } from '../../runtime/session.js';
import { numbersOf } from '../tensor-numbers.js';

export interface ScoredBox {
  /** Index in the task's labels. */
  readonly label: number;
  readonly score: number;
  readonly xmin: number;
  readonly ymin: number;
  readonly xmax: number;
  readonly ymax: number;
}

/** What the endpoint would answer for the sample's picture: the task's own thresholds hold. A sample without a size is as large as the input. */
export function boxesFound(
  task: ObjectDetectionTask,
  sample: Sample,
  outputs: Feeds | undefined,
): readonly ScoredBox[] {
  const placement = placePhoto(task.image, sample.size ?? { width: task.image.width, height: task.image.height });
  return detectedObjects(task, tensorOutputs(outputs ?? {}), placement).map(({ label, score, box }) => ({
    label: task.labels.indexOf(label),
    score,
    ...box,
  }));
}

function tensorOutputs(outputs: Feeds): TensorOutputs {
  const converted = (tensor: RuntimeTensor) => ({ shape: tensor.dims, data: numbersOf(tensor) });
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, converted(tensor)]));
}

/** The labels of a sample; without them what the original model finds. @throws ConfigurationError LABEL_UNKNOWN */
export function boxesExpected(
  task: ObjectDetectionTask,
  sample: Sample,
  reference: Feeds | undefined,
): readonly ScoredBox[] {
  if (sample.label?.kind !== 'boxes') return boxesFound(task, sample, reference);
  return sample.label.boxes.map(({ label, x, y, width, height }) => {
    const index = task.labels.indexOf(label);
    if (index < 0) {
      throw new ConfigurationError({
        code: 'LABEL_UNKNOWN',
        message: `Sample '${sample.id}' has a box labelled '${label}'; the task knows ${task.labels.join(', ')}.`,
        advice: 'Mend the label, or the labels of the task in model.json.',
      });
    }
    return { label: index, score: 1, xmin: x, ymin: y, xmax: x + width, ymax: y + height };
  });
}
