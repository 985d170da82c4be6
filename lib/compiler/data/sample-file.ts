/** A file of a data set, and the samples in it. One module a format makes them. */
import type { Label, Sample } from './data-set.js';

export type SampleContent = Pick<Sample, 'steps' | 'size' | 'label'>;

/** A file that was opened for a while. */
export interface SampleReader {
  /** @throws ConfigurationError DATA_… naming the file */
  read(index: number): Promise<SampleContent>;
  /** As `read(index)` would say, without decoding the rest. */
  label(index: number): Promise<Label | undefined>;
  close(): Promise<void>;
}

export interface SampleFile {
  /** From the set's folder, with forward slashes. */
  readonly path: string;
  readonly group: string | undefined;
  /** Undefined: the file is one sample, and the sample's id is its path. Else ids are `path#0`, `path#1`, … */
  readonly count: number | undefined;
  /** sha256 of its bytes, lower-case hexadecimal. */
  readonly digest: string;
  open(): Promise<SampleReader>;
}

export function idsOf({ path, count }: SampleFile): readonly string[] {
  return count === undefined ? [path] : Array.from({ length: count }, (_, index) => `${path}#${index}`);
}
