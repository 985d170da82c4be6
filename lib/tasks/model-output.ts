/** Outputs by name, with the shape that a task relies on. */

import type { Signature } from '../artifact/manifest.js';
import { ConfigurationError, RuntimeError } from '../errors.js';
import type { TensorOutput, TensorOutputs } from './tensors.js';

/** @throws ConfigurationError TASK_OUTPUT_MISSING */
export function checkOutputs(names: readonly string[], { outputs }: Signature): void {
  const known = outputs.map(({ name }) => name);
  const missing = names.filter((name) => !known.includes(name));
  if (missing.length === 0) return;
  throw new ConfigurationError({
    code: 'TASK_OUTPUT_MISSING',
    message: `The task reads the outputs ${missing.join(', ')}; the model has ${known.join(', ')}.`,
    advice: 'Mend the names of outputs in the task of model.json.',
  });
}

/** @throws ConfigurationError TASK_OUTPUT_TYPE */
export function checkOutputTypes(names: readonly string[], { outputs }: Signature): void {
  for (const { name, dataType } of outputs) {
    if (!names.includes(name) || !['string', 'float16', 'bool'].includes(dataType)) continue;
    throw new ConfigurationError({
      code: 'TASK_OUTPUT_TYPE',
      message: `Output ${name} is ${dataType}; the task reads numbers.`,
      advice: 'Export the model with float32 outputs, or serve it with the task "tensor".',
    });
  }
}

/**
 * A tensor whose last axes are `shape`, `null` for any size; axes before them are 1.
 * @throws RuntimeError TASK_OUTPUT_SHAPE
 */
export function outputOf(outputs: TensorOutputs, name: string, shape: readonly (number | null)[]): TensorOutput {
  const output = outputs[name];
  const got = output?.shape ?? [];
  const lead = got.length - shape.length;
  const fits =
    lead >= 0 && got.every((size, axis) => (axis < lead ? size === 1 : (shape[axis - lead] ?? size) === size));
  if (output !== undefined && fits) return output;
  throw new RuntimeError({
    code: 'TASK_OUTPUT_SHAPE',
    message:
      output === undefined
        ? `Output ${name} is not among what the model answered: ${Object.keys(outputs).join(', ') || 'nothing'}.`
        : `Output ${name} has shape [${got}]; the task reads [${shape.map((size) => size ?? '?')}].`,
    advice: "Mend the decoder in the task of model.json: it does not describe this model's outputs.",
  });
}

/** Class indices may come as int64. */
export function numberAt({ data }: TensorOutput, index: number): number {
  return Number(data[index]);
}
