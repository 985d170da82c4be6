/** What has become of a job, as far as its objects say. */

import type { ObjectFacts, S3Bucket, S3Failure } from '../../aws/s3-bucket.js';
import type { HttpResponse } from '../../http/http.js';
import { MAX_RESULT_BYTES } from '../../http/result-size.js';
import { MAX_MESSAGE, tritonMessage } from '../targets/sagemaker.js';
import { MAX_RUN_SECONDS, MAX_WAIT_SECONDS } from '../targets/sagemaker-queue.js';
import { decodeStoredTritonBody } from '../targets/triton-body.js';
import type { StoredJob } from './job-store.js';

export type JobResult =
  | { readonly kind: 'pending' }
  | { readonly kind: 'answer'; readonly response: HttpResponse }
  /** Too large for Lambda to hand over. */
  | { readonly kind: 'link'; readonly url: string; readonly facts: ObjectFacts; readonly expiresInSeconds: number }
  /** The model could not answer. */
  | { readonly kind: 'failure'; readonly reason: string }
  /** SageMaker has given it up, or its objects are gone. */
  | { readonly kind: 'gone' }
  | S3Failure;

/** As base64 and with all that stands around it, such a result fits into what a function may return. */
const MAX_INLINE_BYTES = 4 * 1024 * 1024;
const MAX_HEADER_BYTES = 16_384;
/** How long an address is good for; each GET of the job gives another one. */
const LINK_SECONDS = 900;
/** Of tensors that predictions are made of here: read, copied and told apart they take a few times that of the router's memory. */
const MAX_TENSOR_BYTES = 32 * 1024 * 1024;
/** Beyond what SageMaker waits and computes. */
const TIME_TO_WRITE_SECONDS = 600;

export async function resultOf(job: StoredJob, bucket: S3Bucket, signal: AbortSignal): Promise<JobResult> {
  const { state, output, failure } = job.record;
  if (state !== 'submitted') return { kind: 'pending' };
  const key = output === undefined ? undefined : bucket.keyOf(output);
  if (key === undefined) return { kind: 'failed', code: 'OUTPUT_ELSEWHERE' };
  const head = await bucket.head(key, signal);
  if (head.kind === 'failed') return head;
  if (head.kind === 'object') {
    const { facts } = head;
    return job.record.original === undefined
      ? await readResult(key, facts, bucket, signal)
      : await readTensors(key, facts, bucket, signal);
  }
  const failureKey = failure === undefined ? undefined : bucket.keyOf(failure);
  const failed = failureKey === undefined ? { kind: 'missing' as const } : await bucket.get(failureKey, signal);
  if (failed.kind === 'failed') return failed;
  if (failed.kind === 'object') {
    return { kind: 'failure', reason: tritonMessage(failed.body.toString('utf8')).slice(0, MAX_MESSAGE) };
  }
  const isGivenUp = (job.facts?.ageSeconds ?? 0) > MAX_WAIT_SECONDS + MAX_RUN_SECONDS + TIME_TO_WRITE_SECONDS;
  return { kind: isGivenUp ? 'gone' : 'pending' };
}

async function readResult(key: string, facts: ObjectFacts, bucket: S3Bucket, signal: AbortSignal): Promise<JobResult> {
  const link = async (): Promise<JobResult> => ({
    kind: 'link',
    url: await bucket.presignGet(key, LINK_SECONDS),
    facts,
    expiresInSeconds: LINK_SECONDS,
  });
  if (facts.bytes > MAX_INLINE_BYTES) return await link();
  const result = await readTensors(key, facts, bucket, signal);
  return result.kind !== 'answer' || fits(result.response) ? result : await link();
}

/** Whether the caller could be handed them or not. */
async function readTensors(key: string, facts: ObjectFacts, bucket: S3Bucket, signal: AbortSignal): Promise<JobResult> {
  if (facts.bytes > MAX_TENSOR_BYTES) {
    return { kind: 'failure', reason: `The model answered with ${facts.bytes} bytes, more than the router reads.` };
  }
  const object = await bucket.get(key, signal);
  if (object.kind === 'failed') return object;
  if (object.kind === 'missing') return { kind: 'gone' };
  const response = decodeStoredTritonBody(facts.contentType, object.body);
  return response === undefined ? RESULT_INVALID : { kind: 'answer', response };
}

export const RESULT_INVALID: S3Failure = { kind: 'failed', code: 'RESULT_INVALID' };

/** Text grows with each quote and each line break in it. */
function fits({ body }: HttpResponse): boolean {
  if (typeof body !== 'string') return true;
  return Buffer.byteLength(JSON.stringify(body)) + MAX_HEADER_BYTES <= MAX_RESULT_BYTES;
}
