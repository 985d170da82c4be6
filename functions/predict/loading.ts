/** A model that takes long to load must neither outlast Lambda's init phase nor hold a caller until the function is killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RetryLaterError } from '../http/http.js';
import type { InvocationContext } from '../http/invocation-context.js';

/**
 * Lambda ends an init phase after 10 s and starts the process anew: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html.
 * Before that the module says that it is loaded, and the requests wait for the model.
 */
const INIT_PHASE_MS = 8_500;
/** How long before the function's timeout a request that waits for the model is answered. */
const ANSWER_BEFORE_TIMEOUT_MS = 1_000;
const RETRY_AFTER_SECONDS = 5;

/** The model is still on its way; loading goes on. */
export class ModelLoadingError extends RetryLaterError {
  override readonly retryAfterSeconds = RETRY_AFTER_SECONDS;

  constructor() {
    super({
      status: 503,
      code: 'MODEL_LOADING',
      message: 'The model is still being loaded.',
      advice: 'Try again in some seconds.',
    });
  }
}

/** Whether somebody has been waiting since before this environment was there. https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
export function isStartedForRequest(environment: NodeJS.ProcessEnv): boolean {
  return environment.AWS_LAMBDA_INITIALIZATION_TYPE === 'on-demand';
}

/** Waits for `opening`, which never rejects, as long as the init phase allows; provisioned concurrency has 15 minutes for it. */
export async function duringInitPhase(opening: Promise<unknown>, environment: NodeJS.ProcessEnv): Promise<void> {
  if (environment.AWS_LAMBDA_INITIALIZATION_TYPE === 'provisioned-concurrency') await opening;
  else await withDeadline(opening, INIT_PHASE_MS - process.uptime() * 1000);
}

/** @throws ModelLoadingError when the function's timeout is near and `isLoading` still says so */
export async function beforeTimeout<T>(
  answer: Promise<T>,
  isLoading: () => boolean,
  context: InvocationContext | undefined,
): Promise<T> {
  const remaining = context?.getRemainingTimeInMillis?.();
  if (remaining === undefined || !isLoading()) return await answer;
  const isAnswered = await withDeadline(answer, remaining - ANSWER_BEFORE_TIMEOUT_MS);
  if (isAnswered || !isLoading()) return await answer;
  // Nobody waits for it any more.
  answer.catch(() => undefined);
  throw new ModelLoadingError();
}

/** Whether a promise settles in time. */
async function withDeadline(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  const timer = new AbortController();
  const settled = promise.then(
    () => true,
    () => true,
  );
  const late = sleep(Math.max(0, milliseconds), false, { signal: timer.signal }).catch(() => false);
  try {
    return await Promise.race([settled, late]);
  } finally {
    timer.abort();
  }
}
