/** Character and word error rates: how much has to be corrected, of how much there is. */
import { ConfigurationError } from '../../../errors.js';
import type { Sample } from '../../data/data-set.js';
import type { Metric, Outputs } from '../metric.js';
import { editDistance } from './edit-distance.js';
import { type TranscriptOptions, transcriptOf } from './transcript.js';

/**
 * Σ edits / Σ symbols of the truth, over all samples. Labels are of kind `text`; without them the original's transcripts stand for the truth.
 * An observation is (edits, symbols).
 */
export function errorRate(unit: 'character' | 'word', options: TranscriptOptions): Metric {
  const name = unit === 'character' ? 'cer' : 'wer';
  const symbolsOf = (characters: readonly string[]) =>
    unit === 'character'
      ? characters
      : characters
          .join('')
          .split(/\s+/u)
          .filter((word) => word !== '');
  return {
    name,
    unit: 'share',
    better: 'lower',
    needsLabels: false,
    form: { kind: 'bounded-set', span: 1 },
    observe(sample, outputs, reference) {
      const expected = symbolsOf(truthOf(sample, reference, options));
      return Float64Array.of(editDistance(symbolsOf(transcriptOf(outputs, options)), expected), expected.length);
    },
    aggregate(observations) {
      let [edits, symbols] = [0, 0];
      for (const [wrong = 0, all = 0] of observations) {
        edits += wrong;
        symbols += all;
      }
      if (symbols === 0) return edits === 0 ? 0 : 1;
      return edits / symbols;
    },
  };
}

/** @throws ConfigurationError VOCABULARY_MISSING where a text cannot be compared with classes */
function truthOf(sample: Sample, reference: Outputs, options: TranscriptOptions): readonly string[] {
  if (sample.label?.kind !== 'text') return transcriptOf(reference, options);
  const isText = reference.every((step) => step[options.output]?.dataType === 'string');
  if (isText || options.vocabulary !== undefined) return [...sample.label.text];
  throw new ConfigurationError({
    code: 'VOCABULARY_MISSING',
    message: `Sample '${sample.id}' is labelled with a text, and nothing says what the classes of output '${options.output}' stand for.`,
    advice:
      'Name the classes in the labels of the task, in the order of the output; or take the texts out of the labels.',
  });
}
