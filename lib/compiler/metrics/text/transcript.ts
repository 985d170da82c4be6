/** What a recognizer read or heard, from its output. */

import { classesOf, outputNamed } from '../class-scores.js';
import type { Outputs } from '../metric.js';

export interface TranscriptOptions {
  readonly output: string;
  /** A text per class of a CTC output. Default: none, and transcripts are lists of classes that compare with the original's only. */
  readonly vocabulary?: readonly string[];
  /** The class that stands for nothing. Default 0. */
  readonly blank?: number;
}

/** Symbols of all steps in order: of a string output its characters; of scores [.., T, classes] the best path with repeats and blanks taken out (CTC). */
export function transcriptOf(outputs: Outputs, options: TranscriptOptions): readonly string[] {
  return outputs.flatMap((step) => {
    const tensor = outputNamed(step, options.output);
    if (tensor.dataType === 'string') return (tensor.data as readonly string[]).flatMap((text) => [...text]);
    return bestPath(classesOf(tensor), options.blank ?? 0).flatMap((index) => {
      const { vocabulary } = options;
      return vocabulary === undefined ? [String(index)] : [...(vocabulary[index] ?? '\ufffd')];
    });
  });
}

function bestPath(classes: Int32Array, blank: number): number[] {
  return [...classes].filter((index, step) => index !== blank && (step === 0 || classes[step - 1] !== index));
}
