/**
 * How a model travels to its function, decided from sizes before anything is deployed.
 * Figures are AWS's quotas: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */

/** Unzipped size of a function with all its layers, in bytes. */
export const UNZIPPED_LIMIT_BYTES = 262_144_000;
/** Size of a function's /tmp, in MiB. */
export const EPHEMERAL_STORAGE_MIB = { min: 512, max: 10_240 } as const;
/** Memory of a function, in MiB. */
export const MEMORY_MIB = { min: 128, max: 10_240 } as const;

/**
 * Memory beside the weights that a function needs at least, in MiB: Node.js, onnxruntime and the activations of a small model.
 * A bound below which a model surely does not run, not an estimate of what it uses.
 */
const MEMORY_BESIDE_WEIGHTS_MIB = 192;
/** What stays free in /tmp beside the model, in MiB: logs, caches, the file system's own blocks. */
const STORAGE_BESIDE_MODEL_MIB = 32;

const MIB = 1024 * 1024;

/** Unzipped sizes in bytes. */
export interface SizePlanInput {
  /** The layer of onnxruntime. */
  readonly runtimeBytes: number;
  /** The predict function. */
  readonly functionBytes: number;
  /** The model's artifact. */
  readonly modelBytes: number;
}

/** How a model travels. */
export type SizePlan = LayerPlan | S3Plan | TooLargePlan;

/** What every plan says. */
export interface PlanDetails extends SizePlanInput {
  /** Runtime, function and model together, in bytes. */
  readonly totalBytes: number;
  /** One sentence with the numbers that decided. */
  readonly reason: string;
}

/** Everything fits the unzipped limit: the model is a layer. */
export interface LayerPlan extends PlanDetails {
  /** Tells this plan from the others. */
  readonly kind: 'layer';
  /** What the limit leaves, in bytes. */
  readonly spareBytes: number;
}

/** Too large to unzip beside the runtime, small enough for /tmp and memory: the function loads it from S3 at init. */
export interface S3Plan extends PlanDetails {
  /** Tells this plan from the others. */
  readonly kind: 's3';
  /** MiB of /tmp that hold the model. */
  readonly ephemeralStorageMiB: number;
  /** MiB of memory below which the model cannot run. */
  readonly minMemoryMiB: number;
}

/** No way into one Lambda function. */
export interface TooLargePlan extends PlanDetails {
  /** Tells this plan from the others. */
  readonly kind: 'too-large';
  /** The largest model that a function takes, in bytes. */
  readonly maxModelBytes: number;
}

/**
 * Decides how a model travels.
 *
 * @throws RangeError when a size is not a whole number of bytes.
 */
export function planSize(input: SizePlanInput): SizePlan {
  const { runtimeBytes, functionBytes, modelBytes } = input;
  for (const [name, bytes] of Object.entries({ runtimeBytes, functionBytes, modelBytes })) {
    if (!Number.isSafeInteger(bytes) || bytes < 0) {
      throw new RangeError(`${name} must be a whole number of bytes, got ${bytes}`);
    }
  }
  const totalBytes = runtimeBytes + functionBytes + modelBytes;
  const details = { runtimeBytes, functionBytes, modelBytes, totalBytes };
  const sum =
    `runtime ${formatBytes(runtimeBytes)} + function ${formatBytes(functionBytes)} + model ${formatBytes(modelBytes)} ` +
    `= ${formatBytes(totalBytes)} unzipped`;
  const limit = `Lambda's ${formatBytes(UNZIPPED_LIMIT_BYTES)}`;

  if (totalBytes <= UNZIPPED_LIMIT_BYTES) {
    const spareBytes = UNZIPPED_LIMIT_BYTES - totalBytes;
    return {
      kind: 'layer',
      ...details,
      spareBytes,
      reason: `${sum}, within ${limit}: the model is a layer, ${formatBytes(spareBytes)} to spare.`,
    };
  }

  const modelMiB = Math.ceil(modelBytes / MIB);
  const ephemeralStorageMiB = Math.max(EPHEMERAL_STORAGE_MIB.min, modelMiB + STORAGE_BESIDE_MODEL_MIB);
  const minMemoryMiB = modelMiB + MEMORY_BESIDE_WEIGHTS_MIB;
  const fits =
    runtimeBytes + functionBytes <= UNZIPPED_LIMIT_BYTES &&
    ephemeralStorageMiB <= EPHEMERAL_STORAGE_MIB.max &&
    minMemoryMiB <= MEMORY_MIB.max;
  if (fits) {
    return {
      kind: 's3',
      ...details,
      ephemeralStorageMiB,
      minMemoryMiB,
      reason:
        `${sum}, above ${limit}: the model comes from S3 at init and takes ${ephemeralStorageMiB} MiB of /tmp ` +
        `and at least ${minMemoryMiB} MiB of memory.`,
    };
  }

  const largestMiB = Math.min(
    EPHEMERAL_STORAGE_MIB.max - STORAGE_BESIDE_MODEL_MIB,
    MEMORY_MIB.max - MEMORY_BESIDE_WEIGHTS_MIB,
  );
  const maxModelBytes = largestMiB * MIB;
  return {
    kind: 'too-large',
    ...details,
    maxModelBytes,
    reason:
      `${sum}, above ${limit}; from S3 it would take ${ephemeralStorageMiB} MiB of /tmp (${EPHEMERAL_STORAGE_MIB.max} at most) ` +
      `and ${minMemoryMiB} MiB of memory (${MEMORY_MIB.max} at most): no Lambda function takes a model above ${formatBytes(maxModelBytes)}.`,
  };
}

/** Bytes with thousands separators and, from a megabyte, the figure in MB (10^6 bytes). */
export function formatBytes(bytes: number): string {
  const exact = bytes.toLocaleString('en-US');
  return bytes < 1_000_000 ? `${exact} bytes` : `${exact} bytes (${(bytes / 1e6).toFixed(1)} MB)`;
}
