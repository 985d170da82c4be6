/** Job records in S3. Each is written on a condition, so that of those who are at it at once exactly one goes on. */
import { randomBytes } from 'node:crypto';
import type { ObjectFacts, PutOptions, S3Bucket, S3Failure } from '../../aws/s3-bucket.js';
import { type JobRecord, parseRecord, recordKey } from './job-record.js';

export interface StoredJob {
  readonly id: string;
  readonly record: JobRecord;
  readonly etag: string;
  readonly expires: Date | undefined;
  /** What S3 says of it; undefined where it was written just now. */
  readonly facts: ObjectFacts | undefined;
}

export type ReadOutcome = { readonly kind: 'job'; readonly job: StoredJob } | { readonly kind: 'unknown' } | S3Failure;
/** `other`: someone else was first, with this. */
export type WriteOutcome =
  | { readonly kind: 'written'; readonly job: StoredJob }
  | { readonly kind: 'other'; readonly job: StoredJob }
  | S3Failure;

export type Draft = Omit<JobRecord, 'schemaVersion' | 'writer'>;

export class JobStore {
  constructor(private readonly bucket: S3Bucket) {}

  async read(id: string, signal: AbortSignal): Promise<ReadOutcome> {
    const outcome = await this.bucket.get(recordKey(id), signal);
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'missing') return { kind: 'unknown' };
    const { facts, body } = outcome;
    const record = parseRecord(body.toString('utf8'));
    if (record === undefined) return { kind: 'failed', code: 'RECORD_INVALID' };
    return { kind: 'job', job: { id, record, etag: facts.etag, expires: facts.expires, facts } };
  }

  /** In place of one that has expired, too: S3 deletes it only later. */
  async create(id: string, draft: Draft, signal: AbortSignal): Promise<WriteOutcome> {
    const outcome = await this.write(id, draft, { only: 'absent', signal });
    const isExpired = outcome.kind === 'other' && outcome.job.facts?.isExpired === true;
    return isExpired ? await this.replace(outcome.job, draft, signal) : outcome;
  }

  /** In place of the record that was read or written before. */
  replace({ id, etag }: StoredJob, draft: Draft, signal: AbortSignal): Promise<WriteOutcome> {
    return this.write(id, draft, { only: { etag }, signal });
  }

  private async write(id: string, draft: Draft, how: Pick<PutOptions, 'only' | 'signal'>): Promise<WriteOutcome> {
    const record: JobRecord = { ...draft, schemaVersion: 1, writer: randomBytes(8).toString('hex') };
    const options = { contentType: 'application/json', ...how };
    const outcome = await this.bucket.put(recordKey(id), JSON.stringify(record), options);
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'stored') {
      const { etag, expires } = outcome;
      return { kind: 'written', job: { id, record, etag, expires, facts: undefined } };
    }
    const read = await this.read(id, how.signal);
    if (read.kind === 'failed') return read;
    // It has expired in between.
    if (read.kind === 'unknown') return { kind: 'failed', code: 'RECORD_GONE' };
    return { kind: read.job.record.writer === record.writer ? 'written' : 'other', job: read.job };
  }
}
