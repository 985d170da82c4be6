import type { Alias, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Task } from '../artifact/task.js';
import type { QueuePages } from './gpu-queue.js';

/** Whether an answer is a function's result, or a stream: `index.handler` or `index.streamingHandler`. */
export type ResponseMode = 'buffered' | 'streamed';

/**
 * What of a model's requests becomes a job where a router stands in front of its function: nothing, what callers upload, or inferences that
 * nobody answers too.
 */
export type Routing = 'no-jobs' | 'uploads' | 'jobs';

/** What the routes of a model lead to: the function that predicts, or the router in front of it. */
export interface InferenceTarget {
  /** Its routes have this name. */
  readonly modelName: string;
  /** The integer version that clients may ask for. */
  readonly modelVersion: number;
  /** The kind of the model's task. */
  readonly taskType: Task['type'];
  /** What the API invokes. */
  readonly alias: Alias;
  /** Those whose answers callers get; the last one knows the model. */
  readonly functions: readonly [...LambdaFunction[], LambdaFunction];
  /** Undefined for a function without a router. Jobs have routes of their own. */
  readonly routing: Routing | undefined;
  /** The shortest time, in ms, that the API has to wait; undefined where any will do. */
  readonly minApiTimeoutMs: number | undefined;
  /**
   * Which of the two the API expects.
   *
   * @throws SynthesisError `RESPONSE_MODE_CHANGED`, `STREAMING_WITH_ROUTER`
   */
  answerBy(mode: ResponseMode): void;
  /** Lets web pages that may call the API reach what callers of it are sent to outside: where jobs have their requests and results. */
  allowPages(pages: QueuePages): void;
}

/** Whether there are jobs. */
export function hasJobs({ routing }: Pick<InferenceTarget, 'routing'>): boolean {
  return routing !== undefined && routing !== 'no-jobs';
}
