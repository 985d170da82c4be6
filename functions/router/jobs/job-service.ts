/** Jobs as the API shows them: requests that become one, uploads, and `/v2/models/{model}/jobs/{id}`. */
import type { S3Bucket } from '../../aws/s3-bucket.js';
import type { HttpRequest, HttpResponse } from '../../http/http.js';
import type { UndecodedInferBody } from '../../http/infer-body.js';
import type { SageMakerQueue } from '../targets/sagemaker-queue.js';
import { type BinaryInferBody, encodeTritonBody } from '../targets/triton-body.js';
import {
  jobExpired,
  jobUnknown,
  keyReused,
  queuedResponse,
  resultResponse,
  UPLOAD_REASON,
  unavailableResponse,
  uploadResponse,
} from './job-answers.js';
import { isGivenJobId, isJobId, keyedJobId, randomJobId, readIdempotencyKey } from './job-id.js';
import { JobQueue, type QueueOutcome, type Unavailable } from './job-queue.js';
import { type JobResult, RESULT_INVALID, resultOf } from './job-results.js';
import { JobStore, type StoredJob } from './job-store.js';
import { readAnnouncedUpload, UPLOAD_HEADERS, UPLOAD_SECONDS, uploadMissing } from './job-upload.js';
import { readOriginal, writeOriginal } from './original-request.js';

export interface JobServiceOptions {
  readonly model: string;
  readonly bucket: S3Bucket;
  readonly queue: SageMakerQueue;
  /** What ids of jobs are made with. */
  readonly secret: string;
  /** What the model made of a task's request, for the one who asked; undefined for what is no answer to it. */
  readonly conclude: (original: HttpRequest, answer: HttpResponse) => Promise<HttpResponse | undefined>;
}

/** What a request is to SageMaker. */
export interface JobBody {
  readonly tensors: UndecodedInferBody | BinaryInferBody;
  /** Whether they were made of the request, in the words of the model's task. */
  readonly isTask: boolean;
}

/** What the log learns of a job. */
export interface JobNote {
  readonly id: string | undefined;
  readonly event: 'queued' | 'repeated' | 'announced' | 'asked' | 'unavailable';
  /** Whether it may be computed twice. */
  readonly isResubmitted: boolean;
}

export interface JobAnswer {
  readonly response: HttpResponse;
  readonly note: JobNote;
}

export class JobService {
  private readonly store: JobStore;
  private readonly jobs: JobQueue;

  constructor(private readonly options: JobServiceOptions) {
    const { bucket, queue } = options;
    this.store = new JobStore(bucket);
    this.jobs = new JobQueue(bucket, this.store, queue);
  }

  /**
   * Makes a job of a request that nobody could compute.
   *
   * @param request with an Idempotency-Key that was looked at already, if any
   */
  async add(
    request: HttpRequest,
    { tensors, isTask }: JobBody,
    signal: AbortSignal,
  ): Promise<Exclude<QueueOutcome, { kind: 'key-reused' }>> {
    const { model } = this.options;
    const encoded = encodeTritonBody(tensors);
    const original = isTask ? writeOriginal(request) : undefined;
    const outcome = await this.jobs.add({ id: this.newId(request), model, ...encoded, original }, signal);
    if (outcome.kind === 'key-reused') throw keyReused();
    return outcome;
  }

  /** 202 for a job. */
  answer(request: HttpRequest, { job, isRepeated, isResubmitted }: Queued, reason: string): JobAnswer {
    return {
      response: queuedResponse(job, this.locationOf(request, job.id), reason),
      note: { id: job.id, event: isRepeated ? 'repeated' : 'queued', isResubmitted },
    };
  }

  /**
   * 201 with an address for the caller to put his request, or 202 where he has done that and started it before.
   *
   * @throws RequestError `UPLOAD_INVALID`, `HEADER_LENGTH_INVALID`, `IDEMPOTENCY_KEY_INVALID`, `IDEMPOTENCY_KEY_REUSED`
   */
  async announce(request: HttpRequest, signal: AbortSignal): Promise<JobAnswer> {
    const { model, bucket } = this.options;
    const upload = readAnnouncedUpload(request);
    const outcome = await this.jobs.announce({ id: this.newId(request), model, ...upload }, signal);
    if (outcome.kind === 'key-reused') throw keyReused();
    if (outcome.kind === 'unavailable') return unavailable(outcome, undefined);
    const { job } = outcome;
    if (job.record.state !== 'awaiting-upload') return this.answer(request, outcome, UPLOAD_REASON);
    const headers = { ...UPLOAD_HEADERS, 'content-length': String(upload.bytes) };
    const url = await bucket.presignPut(job.record.input, headers, UPLOAD_SECONDS);
    const { bytes } = upload;
    const address = { url, headers: UPLOAD_HEADERS, bytes, expiresInSeconds: UPLOAD_SECONDS };
    return {
      response: uploadResponse(job, this.locationOf(request, job.id), address),
      note: { id: job.id, event: 'announced', isResubmitted: false },
    };
  }

  /**
   * 202 for a job whose request is there now.
   *
   * @throws RequestError `JOB_UNKNOWN`, `JOB_EXPIRED`, `UPLOAD_MISSING`
   */
  async start(request: HttpRequest, id: string, signal: AbortSignal): Promise<JobAnswer> {
    const found = await this.find(id, signal);
    if (found.kind === 'unavailable') return unavailable(found, id);
    const { state, input, uploadBytes } = found.job.record;
    if (state === 'awaiting-upload') {
      const upload = await this.options.bucket.head(input, signal);
      if (upload.kind === 'failed') return unavailable({ ...LOOKUP_FAILED, code: upload.code }, id);
      if (upload.kind === 'missing' || upload.facts.bytes !== uploadBytes) throw uploadMissing();
    }
    const outcome = await this.jobs.advance(found.job, signal);
    if (outcome.kind === 'key-reused') throw keyReused();
    return outcome.kind === 'unavailable' ? unavailable(outcome, id) : this.answer(request, outcome, UPLOAD_REASON);
  }

  /** @throws RequestError `JOB_UNKNOWN`, `JOB_EXPIRED` */
  async look(request: HttpRequest, id: string, signal: AbortSignal): Promise<JobAnswer> {
    const found = await this.find(id, signal);
    if (found.kind === 'unavailable') return unavailable(found, id);
    let { job } = found;
    let isResubmitted = false;
    if (job.record.state !== 'awaiting-upload') {
      const advanced = await this.jobs.advance(job, signal);
      if (advanced.kind === 'unavailable') return unavailable(advanced, id);
      if (advanced.kind === 'queued') ({ job, isResubmitted } = advanced);
    }
    const note: JobNote = { id, event: 'asked', isResubmitted };
    const result = await this.predictionsOf(job, await resultOf(job, this.options.bucket, signal), signal);
    if (result.kind === 'gone') throw jobExpired();
    if (result.kind === 'failed') return unavailable({ ...LOOKUP_FAILED, code: result.code }, id);
    return { response: resultResponse(job, this.locationOf(request, id), result), note };
  }

  /** Of a task's request, for tensors. */
  private async predictionsOf({ record }: StoredJob, result: JobResult, signal: AbortSignal): Promise<JobResult> {
    if (record.original === undefined || result.kind !== 'answer') return result;
    const object = await this.options.bucket.get(record.original, signal);
    if (object.kind === 'failed') return object;
    if (object.kind === 'missing') return { kind: 'gone' };
    const original = readOriginal(object.body.toString('utf8'));
    const response = original && (await this.options.conclude(original, result.response));
    return response === undefined ? RESULT_INVALID : { kind: 'answer', response };
  }

  private async find(id: string, signal: AbortSignal): Promise<{ kind: 'job'; job: StoredJob } | Unavailable> {
    const { secret, model } = this.options;
    if (!isJobId(id)) throw jobUnknown();
    const read = await this.store.read(id, signal);
    if (read.kind === 'failed') return { ...LOOKUP_FAILED, code: read.code };
    if (read.kind === 'unknown') {
      // Nobody is told of a job before its record is there, so a job whose name was given was there.
      throw isGivenJobId(secret, model, id) ? jobExpired() : jobUnknown();
    }
    if (read.job.record.model !== model) throw jobUnknown();
    if (read.job.facts?.isExpired === true) throw jobExpired();
    return read;
  }

  private newId(request: HttpRequest): string {
    const { model, secret } = this.options;
    const key = readIdempotencyKey(request);
    return key === undefined ? randomJobId(secret, model) : keyedJobId(secret, model, key);
  }

  private locationOf({ basePath }: HttpRequest, id: string): string {
    return `${basePath}/v2/models/${this.options.model}/jobs/${id}`;
  }
}

export type Queued = Extract<QueueOutcome, { kind: 'queued' }>;

const LOOKUP_FAILED = { kind: 'unavailable', step: 'lookup', retryAfterSeconds: undefined } as const;

function unavailable(outcome: Unavailable, id: string | undefined): JobAnswer {
  return { response: unavailableResponse(outcome), note: { id, event: 'unavailable', isResubmitted: false } };
}
