import type { Stopwatch } from './stopwatch.js';

/** What answering a request with tensors needs beside the model. */
export interface AnswerOptions {
  readonly stopwatch: Stopwatch;
  readonly maxResponseBytes: number;
}
