/** Locks of older versions, brought to what this version writes. */
import { ConfigurationError } from '../errors.js';
import { LOCK_VERSION } from './lock.js';

type LockJson = Readonly<Record<string, unknown>>;

export type LockMigrations = Readonly<Record<number, (lock: LockJson) => LockJson>>;

/** By the version that they start from. Version 1 is the first. */
const MIGRATIONS: LockMigrations = {};

export interface LockMigrationOptions {
  readonly migrations?: LockMigrations;
  /** What to arrive at. Default `LOCK_VERSION`. */
  readonly version?: number;
}

/**
 * A lock as JSON in the current version; of something that names no version, itself, for the schema to refuse.
 * @throws ConfigurationError LOCK_VERSION for a newer version, and for an older one that no migration starts from
 */
export function migrateLock(json: unknown, where: string, options: LockMigrationOptions = {}): unknown {
  const { migrations = MIGRATIONS, version: wanted = LOCK_VERSION } = options;
  if (!isRecord(json)) return json;
  let lock: LockJson = json;
  for (;;) {
    const { lockVersion } = lock;
    if (typeof lockVersion !== 'number' || lockVersion === wanted) return lock;
    const migrate = Object.hasOwn(migrations, lockVersion) ? migrations[lockVersion] : undefined;
    if (lockVersion > wanted || migrate === undefined) throw unknownVersion(where, lockVersion, wanted);
    lock = { ...migrate(lock), lockVersion: lockVersion + 1 };
  }
}

function unknownVersion(where: string, version: number, wanted: number): ConfigurationError {
  return new ConfigurationError({
    code: 'LOCK_VERSION',
    message: `${where} is of lockVersion ${version}; this version of cdk-onnx writes ${wanted}.`,
    advice:
      version > wanted
        ? 'A newer cdk-onnx made it: update this one, or make the lock again with `cdk-onnx optimize`.'
        : 'Make it again with `cdk-onnx optimize`.',
  });
}

function isRecord(value: unknown): value is LockJson {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
