/** From a request to what became of it: sent to a target, made a job, or answered because it is about one. */
import { isSequence } from '../../lib/artifact/task.js';
import { type HttpRequest, MethodNotAllowedError } from '../http/http.js';
import { readInferBody, type UndecodedInferBody } from '../http/infer-body.js';
import type { InvocationContext } from '../http/invocation-context.js';
import type { Router } from './configuration.js';
import { failureMessage } from './decided-response.js';
import { leadingDimension, payloadBytes } from './infer-size.js';
import { unavailableResponse } from './jobs/job-answers.js';
import { readIdempotencyKey } from './jobs/job-id.js';
import type { JobAnswer, JobBody, JobService } from './jobs/job-service.js';
import type { ServedInterface } from './model-interface.js';
import type { Decision, Demand } from './policy/decision.js';
import type { Outcome } from './policy/outcome.js';
import { type Route, routeOf } from './routes.js';
import type { TargetAnswer } from './targets/answer.js';
import type { AskTriton } from './translation/triton-tensors.js';

/** What became of a request: a decision, a job, or a job because of a decision. */
export interface Routed {
  readonly isInference: boolean;
  readonly decision?: Decision<TargetAnswer> | undefined;
  readonly job?: JobAnswer | undefined;
  /** Whether the job was paid for as a second execution. */
  readonly isJobExtraLoad?: boolean | undefined;
}

/** What is left of the router's own time when an answer is decided, to write it down. */
const TIME_TO_ANSWER_MS = 500;
/** What is left of a request's time to make a job of it: an object, its record, SageMaker and the record again. At most a quarter. */
const TIME_TO_QUEUE_MS = 3_000;
/** With less no task is begun for SageMaker; Lambda may still answer. */
const MIN_TASK_MS = 1_000;

/** @throws RequestError for an inference whose body can be seen to be none, and for what is wrong with a job */
export async function routeRequest(
  router: Router,
  event: unknown,
  request: HttpRequest,
  context: InvocationContext | undefined,
): Promise<Routed> {
  const { policy, jobs } = router;
  const time = Math.max(0, Math.min(policy.timeout, timeLeft(context)));
  const route = routeOf(request, router.model, jobs !== undefined);
  if (route.kind === 'job') {
    if (jobs === undefined) throw new TypeError('there are no jobs without a queue');
    return { isInference: false, job: await aboutJob(jobs, request, route, AbortSignal.timeout(time)) };
  }
  const body = route.kind === 'tensors' ? readInferBody(request) : undefined;
  const isInference = route.kind !== 'other';
  const served = servedFor(router, route);
  const onGpu = body === undefined ? translatedForGpu(router, request, route, served) : tensorsOnGpu(router, body);
  const asked = { event, request, body, onGpu, isInference };
  const encode = jobBody(request, route, body, served);
  if (encode === undefined || jobs === undefined || policy.onGpuUnavailable === 'fail') {
    return { isInference, decision: await dispatch(router, { ...asked, mayBeJob: false, time }) };
  }
  // Wrong in every case, not only where it matters.
  readIdempotencyKey(request);
  const deadline = performance.now() + time;
  const timeToCompute = time - Math.min(TIME_TO_QUEUE_MS, time / 4);
  const decision = await dispatch(router, { ...asked, mayBeJob: true, time: timeToCompute });
  if (decision.kind !== 'failed') return { isInference, decision };
  // What is wrong with the request says nothing of the queue.
  const content = await encode();
  const entry = router.dispatcher.enterQueue(decision);
  if (entry === undefined) return { isInference, decision };
  const signal = AbortSignal.timeout(Math.max(0, Math.floor(deadline - performance.now())));
  const outcome = await jobs.add(request, content, signal).catch((error: unknown) => {
    entry.permit.abandoned();
    throw error;
  });
  if (outcome.kind === 'unavailable') entry.permit.failed();
  else entry.permit.succeeded();
  const job: JobAnswer =
    outcome.kind === 'queued'
      ? jobs.answer(request, outcome, decision.cause)
      : {
          response: unavailableResponse(outcome, failureMessage(decision)),
          note: { id: undefined, event: 'unavailable', isResubmitted: false },
        };
  return { isInference, decision, job, isJobExtraLoad: entry.isExtraLoad };
}

/** Unlimited where Lambda does not say, or the wall clock has jumped: who has no time left is no longer running. */
function timeLeft(context: InvocationContext | undefined): number {
  const remaining = context?.getRemainingTimeInMillis?.() ?? 0;
  return remaining <= 0 ? Number.POSITIVE_INFINITY : remaining - TIME_TO_ANSWER_MS;
}

async function aboutJob(
  jobs: JobService,
  request: HttpRequest,
  { id }: Extract<Route, { kind: 'job' }>,
  signal: AbortSignal,
): Promise<JobAnswer> {
  const { method } = request;
  if (id === undefined) {
    if (method === 'POST') return await jobs.announce(request, signal);
    throw new MethodNotAllowedError(method, ['POST']);
  }
  if (method === 'GET') return await jobs.look(request, id, signal);
  if (method === 'POST') return await jobs.start(request, id, signal);
  throw new MethodNotAllowedError(method, ['GET', 'POST']);
}

/** `milliseconds`: what is left of the request's time. */
type AskGpu = (signal: AbortSignal, milliseconds: number) => Promise<Outcome<TargetAnswer>>;

interface Asked {
  readonly event: unknown;
  readonly request: HttpRequest;
  /** Of tensors. */
  readonly body: UndecodedInferBody | undefined;
  /** Undefined where SageMaker cannot answer. */
  readonly onGpu: AskGpu | undefined;
  readonly isInference: boolean;
  /** Whether it becomes a job where nobody answers. */
  readonly mayBeJob: boolean;
  /** Milliseconds. */
  readonly time: number;
}

function dispatch(
  { policy, dispatcher, lambda }: Router,
  { event, request, body, onGpu, isInference, mayBeJob, time }: Asked,
): Promise<Decision<TargetAnswer>> {
  const demand: Demand = {
    targets: onGpu === undefined && body === undefined && !mayBeJob ? 'lambda' : 'any',
    isInference,
    payloadBytes: payloadBytes(request.body),
    batch: body === undefined || policy.maxCpuBatch === undefined ? undefined : leadingDimension(body),
    timeLeft: time,
  };
  return dispatcher.dispatch(demand, async (target, signal, milliseconds) => {
    if (target === 'lambda') {
      return await lambda.invoke({
        payload: JSON.stringify(event),
        signal,
        takesErrorAnswers: !isInference,
        trace: process.env._X_AMZN_TRACE_ID,
      });
    }
    if (onGpu === undefined) throw new TypeError('SageMaker was asked for what it cannot compute');
    return await onGpu(signal, milliseconds);
  });
}

function tensorsOnGpu({ sagemaker }: Router, body: UndecodedInferBody): AskGpu | undefined {
  return sagemaker === undefined ? undefined : (signal) => sagemaker.invoke(body, signal);
}

/** By what a request is put into tensors; undefined where it need not be, or nobody said how. */
function servedFor({ modelInterface }: Router, { kind }: Route): ServedInterface | undefined {
  if (kind !== 'rows' && kind !== 'task') return undefined;
  const served = modelInterface();
  return kind === 'task' && served?.description.task.type === 'tensor' ? undefined : served;
}

/** What Lambda gets as it came is translated only here, where SageMaker is to answer it; so is its code loaded. */
function translatedForGpu(
  { sagemaker }: Router,
  request: HttpRequest,
  { kind }: Route,
  served: ServedInterface | undefined,
): AskGpu | undefined {
  if (sagemaker === undefined || served === undefined) return undefined;
  return async (signal, milliseconds) => {
    const ask: AskTriton = (body) => sagemaker.invoke(body, signal);
    if (kind === 'rows') {
      const { answerRows } = await import('./translation/tensorflow-serving.js');
      return await answerRows(request, served.description.signature, ask);
    }
    // A picture is decoded while no timer fires: one that ends the request would be late.
    if (milliseconds < MIN_TASK_MS) return await new Promise<never>(() => undefined);
    const { answerTask } = await import('./translation/task.js');
    return await answerTask(request, served, ask);
  };
}

/**
 * What makes a job of a request; undefined where it cannot be one: clients of TensorFlow Serving know no jobs, and windows of a sound wait
 * for each other.
 */
function jobBody(
  request: HttpRequest,
  { kind }: Route,
  body: UndecodedInferBody | undefined,
  served: ServedInterface | undefined,
): (() => Promise<JobBody>) | undefined {
  if (body !== undefined) return async () => ({ tensors: body, isTask: false });
  if (kind !== 'task' || served === undefined || isSequence(served.description.task)) return undefined;
  return async () => {
    const { encodeTask } = await import('./translation/task.js');
    return { tensors: await encodeTask(request, served), isTask: true };
  };
}
