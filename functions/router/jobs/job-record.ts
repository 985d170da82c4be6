/** What the router writes down of a job: one object of the bucket, which each step replaces. */
import { jsonMembers } from '../targets/service-error.js';

export const JOB_PREFIX = 'jobs/';
export const REQUEST_PREFIX = 'requests/';

/**
 * `awaiting-upload`: the caller has yet to put the request. `submitting`: someone asks SageMaker. `refused`: SageMaker did not take it.
 * `unacknowledged`: SageMaker may have taken it. `submitted`: it did, and said where the result will be; nothing changes after that.
 */
export type JobState = 'awaiting-upload' | 'submitting' | 'refused' | 'unacknowledged' | 'submitted';
const STATES: readonly unknown[] = [
  'awaiting-upload',
  'submitting',
  'refused',
  'unacknowledged',
  'submitted',
] satisfies JobState[];

export interface JobRecord {
  readonly schemaVersion: 1;
  readonly model: string;
  /** Of the request, so that a key does not stand for two. */
  readonly fingerprint: string;
  /** Key of the request's object. */
  readonly input: string;
  /** As SageMaker is told it: with binary tensors, it says how long the document in front of them is. */
  readonly contentType: string;
  /** Key of the caller's request in the words of the model's task, which `input` was made of; its predictions are made by it, too. */
  readonly original?: string;
  /** Of a request that the caller uploads: its size. */
  readonly uploadBytes?: number;
  readonly state: JobState;
  /** Random, of the one who wrote this: after an answer that was lost he knows his own again. */
  readonly writer: string;
  /** How often SageMaker was asked, or was going to be. */
  readonly submissions: number;
  /** Where SageMaker puts the result, or why there is none: `s3://…`. */
  readonly output?: string;
  readonly failure?: string;
}

export function recordKey(id: string): string {
  return `${JOB_PREFIX}${id}.json`;
}

/** Undefined for what is no record of this version. */
export function parseRecord(text: string): JobRecord | undefined {
  const { schemaVersion, model, fingerprint, input, contentType, state, writer, submissions } = jsonMembers(text);
  const isRecord =
    schemaVersion === 1 &&
    [model, fingerprint, input, contentType, writer].every((member) => typeof member === 'string') &&
    STATES.includes(state) &&
    typeof submissions === 'number';
  return isRecord ? (JSON.parse(text) as JobRecord) : undefined;
}
