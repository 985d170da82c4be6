/** The heads of Ultralytics' YOLO exports: v5 has rows with an objectness, v8 has columns without. */
import type { YoloDecoder } from '../../artifact/task.js';
import { numberAt, outputOf } from '../model-output.js';
import type { TensorOutputs } from '../tensors.js';
import { bestClass, type Candidate, centredCandidate } from './candidate.js';

export function decodeYolo(
  { version, output: name }: YoloDecoder,
  outputs: TensorOutputs,
  { classes, scoreThreshold }: { readonly classes: number; readonly scoreThreshold: number },
): readonly Candidate[] {
  const isV8 = version === 'v8';
  const numbersPerBox = classes + (isV8 ? 4 : 5);
  const output = outputOf(outputs, name, isV8 ? [numbersPerBox, null] : [null, numbersPerBox]);
  const count = output.shape.at(isV8 ? -1 : -2) ?? 0;
  const [boxStep, numberStep] = isV8 ? [1, count] : [numbersPerBox, 1];
  const read = (index: number) => numberAt(output, index);
  const candidates: Candidate[] = [];
  for (let box = 0; box < count; box++) {
    const at = (index: number) => read(box * boxStep + index * numberStep);
    const objectness = isV8 ? 1 : at(4);
    if (!(objectness >= scoreThreshold)) continue;
    const { label, score: classScore } = bestClass(
      read,
      box * boxStep + (isV8 ? 4 : 5) * numberStep,
      numberStep,
      classes,
    );
    const score = objectness * classScore;
    if (!(score >= scoreThreshold)) continue;
    candidates.push(centredCandidate([at(0), at(1), at(2), at(3)], score, label));
  }
  return candidates;
}
