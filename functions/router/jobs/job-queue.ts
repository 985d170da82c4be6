/**
 * Brings jobs into SageMaker's queue, each by one submission: who asks SageMaker has written so into the job's record before, and what
 * SageMaker answered after. Only a submission that nobody heard of again is made once more, when the job is asked for.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { S3Bucket, S3Failure } from '../../aws/s3-bucket.js';
import type { SageMakerQueue } from '../targets/sagemaker-queue.js';
import { REQUEST_PREFIX } from './job-record.js';
import type { Draft, JobStore, StoredJob, WriteOutcome } from './job-store.js';

export interface JobRequest {
  readonly id: string;
  readonly model: string;
  readonly body: string | Uint8Array;
  /** As SageMaker is to be told it. */
  readonly contentType: string;
  /** What `body` was made of, where that was something else. */
  readonly original?: string | undefined;
}

/** A request that the caller puts into S3 himself. */
export interface JobUpload {
  readonly id: string;
  readonly model: string;
  readonly contentType: string;
  readonly bytes: number;
}

export type QueueOutcome =
  /** The job is there, and is in SageMaker's queue or will be. */
  | {
      readonly kind: 'queued';
      readonly job: StoredJob;
      /** Whether it was there before. */
      readonly isRepeated: boolean;
      /** Whether it may be computed twice, because the first submission was not heard of again. */
      readonly isResubmitted: boolean;
    }
  /** The key stands for another request. */
  | { readonly kind: 'key-reused' }
  /** `step`: what could not be done. */
  | Unavailable;

export interface Unavailable {
  readonly kind: 'unavailable';
  readonly step: 'storage' | 'submission' | 'lookup';
  readonly code: string;
  readonly retryAfterSeconds: number | undefined;
}

/**
 * So long after its record says that someone asks SageMaker, he is not at it any more: an invocation of the router ends before
 * API Gateway does. By S3's clock, whose times are whole seconds.
 */
export const LEASE_SECONDS = 31;
/** Others may be first at each of them, but then they have brought the job on. */
const MAX_TAKEOVERS = 3;

export class JobQueue {
  constructor(
    private readonly bucket: S3Bucket,
    private readonly store: JobStore,
    private readonly queue: SageMakerQueue,
  ) {}

  /** Makes a job of a request, or finds the one that it is already. Never rejects for what a service does. */
  async add({ id, model, body, contentType, original }: JobRequest, signal: AbortSignal): Promise<QueueOutcome> {
    const hash = createHash('sha256').update(`${contentType}\n`).update(body);
    const fingerprint = (original === undefined ? hash : hash.update(original)).digest('hex');
    // Of this content, so that no other request with the same key can change it; and there before the record says so.
    const input = `${REQUEST_PREFIX}${id}/${fingerprint}`;
    const objects = [
      { key: input, content: body },
      ...(original === undefined ? [] : [{ key: `${input}-original`, content: original }]),
    ];
    const puts = await Promise.all(
      objects.map(({ key, content }) =>
        this.bucket.put(key, content, { contentType: 'application/octet-stream', signal }),
      ),
    );
    for (const stored of puts) if (stored.kind !== 'stored') return unavailable(stored);
    const draft: Draft = {
      model,
      fingerprint,
      input,
      contentType,
      ...(original === undefined ? {} : { original: `${input}-original` }),
      state: 'submitting',
      submissions: 1,
    };
    const created = await this.store.create(id, draft, signal);
    if (created.kind === 'failed') return unavailable(created);
    const { job } = created;
    if (created.kind === 'written') return await this.submit(job, { isRepeated: false, isResubmitted: false }, signal);
    if (job.record.fingerprint !== fingerprint) return { kind: 'key-reused' };
    return await this.advance(job, signal);
  }

  /** Makes a job whose request is still to come, or finds it. */
  async announce({ id, model, contentType, bytes }: JobUpload, signal: AbortSignal): Promise<QueueOutcome> {
    const fingerprint = createHash('sha256').update(`upload\n${contentType}\n${bytes}`).digest('hex');
    const draft: Draft = {
      model,
      fingerprint,
      // Of this job alone: under the same key there may still be the upload of one that has expired.
      input: `${REQUEST_PREFIX}${id}/upload-${randomBytes(8).toString('hex')}`,
      contentType,
      uploadBytes: bytes,
      state: 'awaiting-upload',
      submissions: 0,
    };
    const created = await this.store.create(id, draft, signal);
    if (created.kind === 'failed') return unavailable(created);
    const { job } = created;
    const isRepeated = created.kind === 'other';
    if (isRepeated && job.record.fingerprint !== fingerprint) return { kind: 'key-reused' };
    return { kind: 'queued', job, isRepeated, isResubmitted: false };
  }

  /** Submits a job that is not, unless someone else is at it. */
  async advance(found: StoredJob, signal: AbortSignal): Promise<QueueOutcome> {
    let job = found;
    for (let takeover = 1; takeover <= MAX_TAKEOVERS; takeover++) {
      const { state, submissions } = job.record;
      if (state === 'submitted' || (state === 'submitting' && (job.facts?.ageSeconds ?? 0) < LEASE_SECONDS)) break;
      const isResubmitted = state === 'unacknowledged' || state === 'submitting';
      const draft: Draft = { ...job.record, state: 'submitting', submissions: submissions + 1 };
      const taken = await this.store.replace(job, draft, signal);
      if (taken.kind === 'failed') return unavailable(taken);
      if (taken.kind === 'written') {
        return await this.submit(taken.job, { isRepeated: state !== 'awaiting-upload', isResubmitted }, signal);
      }
      job = taken.job;
    }
    return { kind: 'queued', job, isRepeated: true, isResubmitted: false };
  }

  private async submit(
    job: StoredJob,
    how: { readonly isRepeated: boolean; readonly isResubmitted: boolean },
    signal: AbortSignal,
  ): Promise<QueueOutcome> {
    const { id, record } = job;
    const { input, contentType } = record;
    const outcome = await this.queue.submit({
      inferenceId: id,
      input: this.bucket.uri(input),
      contentType,
      signal,
    });
    if (outcome.kind === 'refused') {
      // Where this cannot be written either, the lease ends by itself.
      await this.store.replace(job, { ...record, state: 'refused' }, signal);
      const { code, retryAfterSeconds } = outcome;
      return { kind: 'unavailable', step: 'submission', code, retryAfterSeconds };
    }
    const draft: Draft =
      outcome.kind === 'unacknowledged'
        ? { ...record, state: 'unacknowledged' }
        : {
            ...record,
            state: 'submitted',
            output: outcome.output,
            ...(outcome.failure === undefined ? {} : { failure: outcome.failure }),
          };
    return { kind: 'queued', job: latest(job, await this.store.replace(job, draft, signal)), ...how };
  }
}

/** What the record says now: of two that submitted a job the first one's word counts. */
function latest(job: StoredJob, outcome: WriteOutcome): StoredJob {
  return outcome.kind === 'failed' ? job : outcome.job;
}

function unavailable(outcome: S3Failure | { readonly kind: 'precondition-failed' }): Unavailable {
  const code = outcome.kind === 'failed' ? outcome.code : 'PreconditionFailed';
  return { kind: 'unavailable', step: 'storage', code, retryAfterSeconds: undefined };
}
