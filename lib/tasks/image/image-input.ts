/** The one input of a model that takes a picture. */
import type { DataType, Signature, TensorSignature } from '../../artifact/manifest.js';
import type { ImagePreprocessing } from '../../artifact/task.js';
import { ConfigurationError } from '../../errors.js';

/** Element types that a picture is written as. */
const DATA_TYPES: readonly DataType[] = ['float32', 'uint8'];

/**
 * The input that takes the picture.
 * @throws ConfigurationError TASK_INPUT_MISSING, TASK_INPUTS_UNFED, TASK_INPUT_TYPE, TASK_INPUT_SHAPE
 */
export function checkImageInput(image: ImagePreprocessing, { inputs }: Signature): TensorSignature {
  const input = inputs.find(({ name }) => name === image.input);
  if (input === undefined) {
    throw new ConfigurationError({
      code: 'TASK_INPUT_MISSING',
      message: `The task's image goes to input ${JSON.stringify(image.input)}; the model has ${inputs.map(({ name }) => name).join(', ')}.`,
      advice: 'Set task.image.input in model.json to one of them.',
    });
  }
  if (inputs.length > 1) {
    const others = inputs.filter(({ name }) => name !== image.input).map(({ name }) => name);
    throw new ConfigurationError({
      code: 'TASK_INPUTS_UNFED',
      message: `The task feeds ${image.input} only; the model also wants ${others.join(', ')}.`,
      advice: 'Freeze them with `inputs: { "<name>": { "value": … } }` in model.json.',
    });
  }
  if (!DATA_TYPES.includes(input.dataType)) {
    throw new ConfigurationError({
      code: 'TASK_INPUT_TYPE',
      message: `Input ${input.name} takes ${input.dataType}; a picture is written as ${DATA_TYPES.join(' or ')}.`,
      advice: 'Export the model with one of them as input, or serve it with the task "tensor".',
    });
  }
  const shape = imageTensorShape(image);
  const fits =
    input.shape === null ||
    (input.shape.length === shape.length &&
      input.shape.every((size, axis) => typeof size !== 'number' || size === shape[axis]));
  if (!fits) {
    throw new ConfigurationError({
      code: 'TASK_INPUT_SHAPE',
      message: `The task makes a tensor [${shape}]; input ${input.name} takes [${input.shape}].`,
      advice: 'Mend width, height, layout or channels of task.image in model.json.',
    });
  }
  return input;
}

export function imageTensorShape({ width, height, layout, channels }: ImagePreprocessing): readonly number[] {
  const depth = channels === 'grayscale' ? 1 : 3;
  return layout === 'NHWC' ? [1, height, width, depth] : [1, depth, height, width];
}
