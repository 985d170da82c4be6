/** Inputs by name, with the types and shapes that a task makes. */
import type { DataType, Dimension, Signature, TensorSignature } from '../artifact/manifest.js';
import { ConfigurationError } from '../errors.js';

/**
 * The input of that name.
 * @throws ConfigurationError TASK_INPUT_MISSING, TASK_INPUT_TYPE
 */
export function inputOf(name: string, dataTypes: readonly DataType[], { inputs }: Signature): TensorSignature {
  const input = inputs.find((candidate) => candidate.name === name);
  if (input === undefined) {
    throw new ConfigurationError({
      code: 'TASK_INPUT_MISSING',
      message: `The task feeds the input ${JSON.stringify(name)}; the model has ${inputs.map((other) => other.name).join(', ')}.`,
      advice: 'Mend the names of inputs in the task of model.json.',
    });
  }
  if (!dataTypes.includes(input.dataType)) {
    throw new ConfigurationError({
      code: 'TASK_INPUT_TYPE',
      message: `Input ${name} takes ${input.dataType}; the task makes ${dataTypes.join(' or ')}.`,
      advice: 'Export the model with one of them as input, or serve it with the task "tensor".',
    });
  }
  return input;
}

/** @throws ConfigurationError TASK_INPUT_SHAPE; `null` in `made` is any size */
export function checkInputShape({ name, shape }: TensorSignature, made: readonly (number | null)[]): void {
  const fits = (size: Dimension, axis: number) =>
    typeof size !== 'number' || made[axis] === null || size === made[axis];
  if (shape === null || (shape.length === made.length && shape.every(fits))) return;
  throw new ConfigurationError({
    code: 'TASK_INPUT_SHAPE',
    message: `The task makes a tensor [${made.map((size) => size ?? '?').join(', ')}]; input ${name} takes [${shape.map((size) => size ?? '?').join(', ')}].`,
    advice: 'Mend the sizes in the task of model.json.',
  });
}

/** @throws ConfigurationError TASK_INPUTS_UNFED */
export function checkAllFed(fed: readonly string[], { inputs }: Signature): void {
  const others = inputs.map(({ name }) => name).filter((name) => !fed.includes(name));
  if (others.length === 0) return;
  throw new ConfigurationError({
    code: 'TASK_INPUTS_UNFED',
    message: `The task feeds ${fed.join(', ')} only; the model also wants ${others.join(', ')}.`,
    advice: 'Freeze them with `inputs: { "<name>": { "value": … } }` in model.json.',
  });
}

/** Whole numbers as elements of the type that an input takes. */
export function integersAs(dataType: DataType, numbers: readonly number[]) {
  switch (dataType) {
    case 'int64':
      return BigInt64Array.from(numbers, BigInt);
    case 'int32':
      return Int32Array.from(numbers);
    case 'float32':
      return Float32Array.from(numbers);
    default:
      return Uint8Array.from(numbers);
  }
}
