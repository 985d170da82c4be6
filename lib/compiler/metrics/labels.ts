/** Labels of samples, with an error that says what is missing where. */
import { ConfigurationError } from '../../errors.js';
import type { Label, Sample } from '../data/data-set.js';

/** @throws ConfigurationError LABEL_MISSING */
export function labelOf<K extends Label['kind']>(sample: Sample, kind: K, metric: string): Extract<Label, { kind: K }> {
  const { label } = sample;
  if (label?.kind === kind) return label as Extract<Label, { kind: K }>;
  throw new ConfigurationError({
    code: 'LABEL_MISSING',
    message: `The metric ${metric} needs labels of kind '${kind}', and sample '${sample.id}' has ${label === undefined ? 'none' : `one of kind '${label.kind}'`}.`,
    advice: `Label every sample, or choose a metric without labels: agreement, snr, cosine, kl, max-abs.`,
  });
}
