/** The three sets of a model, disjoint by source, written once and kept by what they are made of. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type NpzArray, writeNpz } from './npz.js';

export const ROLES = ['calibration', 'evaluation', 'holdout'] as const;
export type Role = (typeof ROLES)[number];

export interface DataSource {
  /** Changes with everything that changes a sample: seeds, sizes, versions of packages. */
  readonly identity: string;
  /** Writes the samples of a set into a folder, each group in a folder of its own. Deterministic. */
  write(role: Role, folder: string): Promise<void>;
}

const cache = join(import.meta.dirname, '../../../.cache/quantize');

/** The folder with a folder for each set. */
export async function prepareData(model: string, source: DataSource): Promise<string> {
  const key = createHash('sha256').update(source.identity).digest('hex').slice(0, 12);
  const folder = join(cache, `${model}-${key}`);
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}-${process.pid}`;
  try {
    for (const role of ROLES) {
      mkdirSync(join(unfinished, role), { recursive: true });
      await source.write(role, join(unfinished, role));
    }
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}

/** Samples of one input, gathered by where they come from. */
export class GroupedSamples {
  readonly #groups = new Map<string, { samples: Float32Array[]; labels: number[] }>();

  constructor(
    private readonly input: string,
    /** Of one sample, with the 1 in front. */
    private readonly dims: readonly number[],
  ) {}

  add(group: string, sample: Float32Array, label?: number): void {
    const known = this.#groups.get(group) ?? { samples: [], labels: [] };
    this.#groups.set(group, known);
    known.samples.push(sample);
    if (label !== undefined) known.labels.push(label);
  }

  write(folder: string): void {
    for (const [group, { samples, labels }] of this.#groups) {
      const length = this.dims.reduce((product, dim) => product * dim, 1);
      const data = new Float32Array(samples.length * length);
      for (const [index, sample] of samples.entries()) data.set(sample, index * length);
      const arrays: NpzArray[] = [{ name: this.input, dims: [samples.length, ...this.dims.slice(1)], data }];
      if (labels.length > 0) {
        arrays.push({ name: 'labels', dims: [labels.length], data: BigInt64Array.from(labels, BigInt) });
      }
      writeNpz(join(folder, group, 'samples.npz'), arrays);
    }
  }
}
