/** How far one model's outputs are from another's, output by output, over any number of samples. */
import type { Sample } from '../data/data-set.js';
import { agreement } from '../metrics/accuracy.js';
import { cosine, kl, maxAbs, snr } from '../metrics/differences.js';
import type { Metric, Outputs } from '../metrics/metric.js';
import type { RuntimeTensor } from '../runtime/session.js';

export interface OutputComparison {
  readonly output: string;
  readonly dataType: string;
  /** dB over all samples, at most 150; and that of the worst sample. */
  readonly snr: number;
  readonly worstSnr: { readonly value: number; readonly sample: string };
  /** Mean over samples. */
  readonly cosine: number;
  readonly maxAbs: number;
  /** Of outputs that can be read as classes; null of others. Nats, and share of rows with the same class. */
  readonly kl: number | null;
  readonly agreement: number | null;
}

const GENERAL = [snr(), cosine(), maxAbs()] as const;
/** Classes of more scores than that are none. */
const MAX_CLASSES = 100_000;

export class OutputDifferences {
  readonly #outputs = new Map<string, Observed>();

  add(sample: Sample, outputs: Outputs, reference: Outputs): void {
    const names = new Set(reference.flatMap((step) => Object.keys(step)));
    for (const name of names) {
      const expected = reference.find((step) => step[name] !== undefined)?.[name];
      if (expected === undefined || expected.dataType === 'string') continue;
      let observed = this.#outputs.get(name);
      if (observed === undefined) {
        observed = new Observed(name, expected);
        this.#outputs.set(name, observed);
      }
      observed.add(sample, only(outputs, name), only(reference, name));
    }
  }

  result(): OutputComparison[] {
    return [...this.#outputs.values()].map((observed) => observed.result());
  }
}

class Observed {
  readonly #name: string;
  readonly #dataType: string;
  readonly #metrics: readonly Metric[];
  readonly #observations: Float64Array[][];
  #worst = { value: Number.POSITIVE_INFINITY, sample: '' };

  constructor(name: string, tensor: RuntimeTensor) {
    this.#name = name;
    this.#dataType = tensor.dataType;
    this.#metrics = [...GENERAL, ...(hasClasses(tensor) ? [kl(name), agreement(name)] : [])];
    this.#observations = this.#metrics.map(() => []);
  }

  add(sample: Sample, outputs: Outputs, reference: Outputs): void {
    const isMissing = outputs.some((step) => step[this.#name] === undefined);
    for (const [index, metric] of this.#metrics.entries()) {
      if (isMissing && index >= GENERAL.length) continue;
      const observation = metric.observe(sample, outputs, reference);
      this.#observations[index]?.push(observation);
      if (index > 0) continue;
      const value = metric.aggregate([observation]);
      if (value < this.#worst.value) this.#worst = { value, sample: sample.id };
    }
  }

  result(): OutputComparison {
    const [ratio = 0, angle = 0, largest = 0, divergence = null, agreed = null] = this.#metrics.map((metric, index) =>
      metric.aggregate(this.#observations[index] ?? []),
    );
    return {
      output: this.#name,
      dataType: this.#dataType,
      snr: ratio,
      worstSnr: this.#worst,
      cosine: angle,
      maxAbs: largest,
      kl: divergence,
      agreement: agreed,
    };
  }
}

/** Scores by class along the last axis: [classes], [N, classes], [N, steps, classes]. */
function hasClasses({ dataType, dims }: RuntimeTensor): boolean {
  const classes = dims.at(-1) ?? 0;
  return (
    ['float32', 'float64', 'float16'].includes(dataType) && dims.length <= 3 && classes >= 2 && classes <= MAX_CLASSES
  );
}

function only(outputs: Outputs, name: string): Outputs {
  return outputs.map((step) => {
    const tensor = step[name];
    return tensor === undefined ? {} : { [name]: tensor };
  });
}
