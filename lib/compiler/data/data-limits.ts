/** What reading data may cost. Checked before memory is taken. */
export interface DataLimits {
  /** Default 1,000,000. */
  readonly maxFiles?: number;
  /** Of all files together. Default 1,000,000. */
  readonly maxSamples?: number;
  /** Of a picture, a sound, a text or a line of JSON, as it lies on disk. Default 64 MiB. */
  readonly maxFileBytes?: number;
  /** Of one sample's tensors. Default 512 MiB. */
  readonly maxSampleBytes?: number;
}

export const DEFAULT_DATA_LIMITS: Required<DataLimits> = {
  maxFiles: 1_000_000,
  maxSamples: 1_000_000,
  maxFileBytes: 64 * 2 ** 20,
  maxSampleBytes: 512 * 2 ** 20,
};
