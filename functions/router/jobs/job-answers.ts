/** What the caller reads of jobs. */
import { RequestError } from '../../../lib/errors.js';
import { type HttpResponse, jsonResponse } from '../../http/http.js';
import { COMPUTED_BY_HEADER, REASON_HEADER } from '../decided-response.js';
import type { Unavailable } from './job-queue.js';
import type { JobResult } from './job-results.js';
import type { StoredJob } from './job-store.js';

const FIRST_POLL_SECONDS = 2;
const MAX_POLL_SECONDS = 30;
const STORAGE_RETRY_SECONDS = 5;

/** What a request became: 202 with where to ask for it. @param reason why nobody computed it at once */
export function queuedResponse(job: StoredJob, location: string, reason: string): HttpResponse {
  return jsonResponse(202, jobDocument(job, location), {
    location,
    'retry-after': String(FIRST_POLL_SECONDS),
    [COMPUTED_BY_HEADER]: 'queue',
    [REASON_HEADER]: reason,
  });
}

export interface Upload {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** How long it has to be: Content-Length, which clients write themselves. */
  readonly bytes: number;
  readonly expiresInSeconds: number;
}

/** 201 with where the caller puts his request, and with which headers. */
export function uploadResponse(job: StoredJob, location: string, upload: Upload): HttpResponse {
  const document = { ...jobDocument(job, location), upload: { method: 'PUT', ...upload } };
  return jsonResponse(201, document, { location, 'cache-control': 'no-store' });
}

/** The answer to a GET of a job. */
export function resultResponse(
  job: StoredJob,
  location: string,
  result: Exclude<JobResult, { kind: 'gone' | 'failed' }>,
): HttpResponse {
  switch (result.kind) {
    case 'pending': {
      const waited = Math.min(MAX_POLL_SECONDS, Math.max(FIRST_POLL_SECONDS, (job.facts?.ageSeconds ?? 0) / 4));
      return jsonResponse(200, jobDocument(job, location), {
        'retry-after': String(Math.ceil(waited)),
        'cache-control': 'no-store',
      });
    }
    case 'answer': {
      const { response } = result;
      return {
        ...response,
        headers: { ...response.headers, [COMPUTED_BY_HEADER]: 'sagemaker', [REASON_HEADER]: 'job' },
      };
    }
    case 'failure':
      return jsonResponse(200, {
        ...jobDocument(job, location),
        status: 'failed',
        error: result.reason === '' ? 'The model did not answer, and nothing says why.' : result.reason,
        code: 'JOB_FAILED',
        advice: "Correct the request where the error is the model's; else send it again, with another Idempotency-Key.",
      });
    case 'link': {
      const { url, facts, expiresInSeconds } = result;
      const { bytes, contentType } = facts;
      const document = {
        ...jobDocument(job, location),
        status: 'succeeded',
        result: { url, bytes, contentType, expiresInSeconds },
      };
      // Whoever follows it should bring no credentials of this API along: the address has its own.
      return jsonResponse(303, document, {
        location: url,
        'cache-control': 'no-store',
        [COMPUTED_BY_HEADER]: 'sagemaker',
        [REASON_HEADER]: 'job',
      });
    }
  }
}

/** `queued` also while the job is computed: SageMaker does not tell. */
function jobDocument({ id, record, expires }: StoredJob, location: string) {
  const status = record.state === 'awaiting-upload' ? 'awaiting-upload' : 'queued';
  return { id, status, location, ...(expires === undefined ? {} : { expires: expires.toISOString() }) };
}

/** 503, where neither a target nor the queue did. @param before what had failed until then */
export function unavailableResponse({ step, code, retryAfterSeconds }: Unavailable, before?: string): HttpResponse {
  const error = `${before === undefined ? '' : `${before} `}${UNAVAILABLE[step]} (${code}).`;
  return jsonResponse(
    503,
    {
      error,
      code: QUEUE_UNAVAILABLE,
      advice: 'Try again after the seconds in Retry-After, with the same Idempotency-Key.',
    },
    { 'retry-after': String(retryAfterSeconds ?? STORAGE_RETRY_SECONDS) },
  );
}

const UNAVAILABLE: Readonly<Record<Unavailable['step'], string>> = {
  storage: 'S3 did not store the job',
  submission: 'SageMaker did not take the job',
  lookup: 'S3 did not say what has become of the job',
};

export const QUEUE_UNAVAILABLE = 'QUEUE_UNAVAILABLE';
/** Why an upload becomes a job: the caller wants it so. */
export const UPLOAD_REASON = 'upload';

export function jobUnknown(): RequestError {
  return new RequestError({
    status: 404,
    code: 'JOB_UNKNOWN',
    message: 'There is no such job.',
    advice: 'Ask where the Location of its answer pointed.',
  });
}

export function jobExpired(): RequestError {
  return new RequestError({
    status: 410,
    code: 'JOB_EXPIRED',
    message: 'The job has expired.',
    advice: 'Send the request again; its Idempotency-Key may be the same.',
  });
}

export function keyReused(): RequestError {
  return new RequestError({
    status: 422,
    code: 'IDEMPOTENCY_KEY_REUSED',
    message: 'Another request had the same Idempotency-Key.',
    advice: 'Send each request with a key of its own; only the very same request may be sent with the same one.',
  });
}
