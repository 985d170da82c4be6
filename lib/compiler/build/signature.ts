/** The signature of an artifact, as onnxruntime tells it of the finished model, checked against the task. */
import type { Signature, Task, TensorSignature } from '../../artifact/manifest.js';
import { ConfigurationError, GraphError } from '../../errors.js';
import type { SessionValue } from '../runtime/session.js';

export interface SignatureValues {
  readonly inputs: readonly SessionValue[];
  readonly outputs: readonly SessionValue[];
}

/** @throws GraphError SIGNATURE_TYPE for sequences and maps, which no endpoint can carry */
export function signatureOf({ inputs, outputs }: SignatureValues): Signature {
  const tensor = (value: SessionValue): TensorSignature => {
    if (value.dataType !== null) return { name: value.name, dataType: value.dataType, shape: value.shape };
    throw new GraphError({
      code: 'SIGNATURE_TYPE',
      message: `'${value.name}' is a sequence, a map or an optional; an endpoint carries tensors only.`,
      advice: 'Export the model with tensor outputs (for scikit-learn: without ZipMap).',
    });
  };
  return { inputs: inputs.map(tensor), outputs: outputs.map(tensor) };
}

/** @throws ConfigurationError TASK_SIGNATURE listing every name that the task uses and the model lacks */
export function checkTask(task: Task, { inputs, outputs }: Signature): void {
  const problems: string[] = [];
  const expect = (kind: 'input' | 'output', known: readonly TensorSignature[], name: string) => {
    if (known.some((value) => value.name === name)) return;
    problems.push(`no ${kind} '${name}' (it has ${known.map((value) => `'${value.name}'`).join(', ') || 'none'})`);
  };
  if (task.type !== 'tensor') {
    const fed = inputsOf(task);
    for (const name of fed) expect('input', inputs, name);
    const others = inputs.filter(({ name }) => !fed.includes(name));
    if (others.length > 0)
      problems.push(`inputs that the task does not fill: ${others.map(({ name }) => `'${name}'`).join(', ')}`);
    for (const name of outputsOf(task)) expect('output', outputs, name);
  }
  if (problems.length === 0) return;
  throw new ConfigurationError({
    code: 'TASK_SIGNATURE',
    message: `The task '${task.type}' does not fit the model: ${problems.join('; ')}.`,
    advice:
      'Run `cdk-onnx inspect` on the source for its names; freeze an input that is a constant with `inputs.<name>.value`.',
  });
}

function inputsOf(task: Exclude<Task, { type: 'tensor' }>): readonly string[] {
  switch (task.type) {
    case 'object-detection':
    case 'image-classification':
      return [task.image.input];
    case 'text-classification':
      return [task.text.ids, task.text.mask, task.text.typeIds].filter((name) => name !== undefined);
    case 'voice-activity': {
      const { input, sampleRateInput, state = [] } = task.audio;
      return [
        input,
        ...(sampleRateInput === undefined ? [] : [sampleRateInput]),
        ...state.map((tensor) => tensor.input),
      ];
    }
  }
}

function outputsOf(task: Exclude<Task, { type: 'tensor' }>): readonly string[] {
  switch (task.type) {
    case 'image-classification':
    case 'text-classification':
      return [task.output];
    case 'voice-activity':
      return [task.output, ...(task.audio.state ?? []).map(({ output }) => output)];
    case 'object-detection':
      return outputsOfDecoder(task);
  }
}

function outputsOfDecoder({ decoder }: Extract<Task, { type: 'object-detection' }>): readonly string[] {
  switch (decoder.type) {
    case 'anchors':
      return decoder.featureMaps.flatMap(({ boxes, scores }) => [boxes, scores]);
    case 'yolo':
      return [decoder.output];
    case 'boxes':
      return [decoder.boxes, decoder.scores, ...(decoder.labels === undefined ? [] : [decoder.labels])];
  }
}
