/** Many requests through the real bundles while everything around them fails, and what became of each. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RuntimeCommand } from '../../../lib/local/execution-environment.js';
import type { ServiceFault } from '../faulty-service.js';
import type { LoopbackFunction } from '../loopback-lambda.js';
import { type FunctionResult, httpEvent } from '../predict-function.js';
import { judge } from './answer-check.js';
import { buildDenseModel, DENSE_NAME } from './dense-model.js';
import { GPU_FAULTS, LAMBDA_FAULTS, MAX_CPU_BATCH, type PlannedRequest, planRequests } from './fault-plan.js';
import { type NamedFault, startFaultyEndpoint } from './faulty-endpoint.js';
import { followJobs, type Job, type JobReport } from './follow-jobs.js';
import { idOf, PredictionOracle, type PredictionRequest, predictionEvent, predictionRequest } from './prediction.js';

export interface FaultRunOptions {
  readonly requests: number;
  readonly seed: number;
  /** Environments of the router, which are asked at the same time. */
  readonly routers: number;
  /** Environments of predict. */
  readonly reservedConcurrency: number;
  readonly runtime?: (heapMiB: number) => RuntimeCommand;
  /** Answers may come so much after the router's deadline, in ms: machines are busy. */
  readonly grace: number;
  readonly onProgress?: (requests: number) => void;
}

export interface FaultRunReport {
  /** Requests without exactly one answer that a caller may get, in its time. */
  readonly violations: readonly string[];
  readonly answers: ReadonlyMap<string, number>;
  /** By form and by what computed it: `sound by sagemaker`. */
  readonly predictions: ReadonlyMap<string, number>;
  /** What went wrong, by what. */
  readonly injected: ReadonlyMap<string, number>;
  readonly clockJumps: number;
  /** Requests that were executed twice and paid for. */
  readonly extraLoad: number;
  /** Of the model, on both targets. */
  readonly executions: number;
  readonly jobs: JobReport;
  readonly slowestMs: number;
  /** Of each environment of the router, in the order in which they were taken. */
  readonly memory: readonly (readonly MemorySample[])[];
  readonly seconds: number;
}

export interface MemorySample {
  /** Bytes after a garbage collection: the heap, and buffers outside of it. */
  readonly held: number;
  readonly rss: number;
}

export const FAULT_RUN_POLICY = {
  timeout: 2_500,
  cpuTimeout: 1_200,
  hedgeAfter: 250,
  maxCpuBatch: MAX_CPU_BATCH,
  onGpuUnavailable: 'queue',
  circuitBreaker: { failures: 5, openFor: 100, maxOpenFor: 400 },
} as const;

/** An answer that comes so much ahead of the router's deadline was not hurried by it. */
const IN_TIME_MS = 100;

export async function runFaults(options: FaultRunOptions): Promise<FaultRunReport> {
  const { requests, seed, routers, grace, onProgress } = options;
  const plan = planRequests(requests, seed);
  const model = await buildDenseModel();
  const endpoint = await startFaultyEndpoint({
    ...options,
    model,
    policy: FAULT_RUN_POLICY,
    hasQueue: true,
    lambdaFault: (number) => named(plan[number]?.lambda, LAMBDA_FAULTS),
    gpuFault: (number) => named(plan[number]?.gpu, GPU_FAULTS),
  });
  const { queue } = endpoint;
  if (queue === undefined) throw new Error('the endpoint has a queue');
  const oracle = await PredictionOracle.open(model.lambda.model);
  const began = performance.now();
  const violations: string[] = [];
  const answers = new Map<string, number>();
  const predictions = new Map<string, number>();
  const ids = new Set<string>();
  const jobs: Job[] = [];
  let slowestMs = 0;
  let next = 0;
  const serve = async (planned: PlannedRequest) => {
    const request = toRequest(planned);
    const requestId = randomUUID();
    ids.add(requestId);
    const invocation = await endpoint.router.invokeRaw(requestId, JSON.stringify(toEvent(planned, request)));
    const { outcome, runMs } = invocation;
    slowestMs = Math.max(slowestMs, runMs);
    if (planned.key !== undefined && runMs > FAULT_RUN_POLICY.timeout - IN_TIME_MS) queue.ranOutOfTime(planned.key);
    const violation = (what: string) => violations.push(`${describe(planned)}: ${what}`);
    if (outcome.kind !== 'response') return violation(`no answer: ${JSON.stringify(outcome)}`);
    const result = JSON.parse(outcome.payload) as FunctionResult;
    const { kind, fault } = await judge(planned, request, result, oracle);
    if (result.statusCode === 202 && request !== undefined) {
      jobs.push({ location: result.headers.location ?? '', key: planned.key ?? idOf(planned.number), request });
    }
    count(answers, kind);
    if (result.statusCode === 200 && request !== undefined) {
      count(predictions, `${request.form} by ${result.headers['x-cdk-onnx-computed-by']}`);
    }
    if (fault !== undefined) violation(`${kind}: ${fault}`);
    else if (runMs > FAULT_RUN_POLICY.timeout + grace) violation(`${kind} after ${Math.round(runMs)} ms`);
  };
  const work = async () => {
    for (let planned = plan[next++]; planned !== undefined; planned = plan[next++]) {
      await serve(planned);
      if (planned.number % 1_000 === 999) onProgress?.(planned.number + 1);
    }
  };
  try {
    await Promise.all(Array.from({ length: routers }, work));
    const { router } = endpoint;
    const lines = await requestLines(router, ids);
    const followed = await followJobs(jobs, { router, routers, oracle, faulty: queue });
    violations.push(...followed.violations);
    for (const id of ids) if (lines.get(id) !== 1) violations.push(`${lines.get(id) ?? 0} lines in the log of ${id}`);
    return {
      violations,
      answers,
      predictions,
      injected: endpoint.injected,
      clockJumps: plan.filter(({ clock }) => clock !== undefined).length,
      extraLoad: parsed(router).filter(({ ExtraLoad }) => ExtraLoad === 1).length,
      executions: endpoint.executions(),
      jobs: followed,
      slowestMs,
      memory: memoryOf(router),
      seconds: (performance.now() - began) / 1000,
    };
  } finally {
    await endpoint.close();
    await oracle.close();
    model.remove();
  }
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

function named<Name extends string>(
  name: Name | undefined,
  faults: Readonly<Record<Name, ServiceFault>>,
): NamedFault | undefined {
  return name === undefined ? undefined : { name, fault: faults[name] };
}

function toRequest({ asked, content }: PlannedRequest): PredictionRequest | undefined {
  return asked.kind === 'prediction' ? predictionRequest(content, asked.form, asked.batch, asked.padding) : undefined;
}

function toEvent(planned: PlannedRequest, request: PredictionRequest | undefined): object {
  const { number, key, asked, process, clock } = planned;
  const headers = {
    ...(key === undefined ? {} : { 'idempotency-key': key }),
    ...(process === undefined ? {} : { 'x-fault-process': process }),
    ...(clock === undefined ? {} : { 'x-fault-clock': `${clock.by};${clock.after}` }),
  };
  if (request !== undefined) return predictionEvent(request, headers, number);
  const path = `/v2/models/${DENSE_NAME}`;
  const requestContext = { requestId: idOf(number), timeEpoch: Date.now() };
  if (asked.kind === 'metadata') return httpEvent({ method: 'GET', path, headers, requestContext });
  const body = JSON.stringify({
    id: idOf(number),
    inputs: [{ name: 'x', shape: [1, 3], datatype: 'FP32', data: [1] }],
  });
  return httpEvent({ method: 'POST', path: `${path}/infer`, body, headers, requestContext });
}

function describe({ number, ...planned }: PlannedRequest): string {
  return `request ${number} (${JSON.stringify(planned)})`;
}

interface Line {
  readonly message: string;
  readonly function_request_id?: string;
  readonly ExtraLoad?: number;
  readonly pid?: number;
  readonly held?: number;
  readonly rss?: number;
}

function parsed(router: LoopbackFunction): Line[] {
  return router.lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as Line];
    } catch {
      return [];
    }
  });
}

/** How many lines each request has; what was written last may still be on its way. */
async function requestLines(router: LoopbackFunction, ids: ReadonlySet<string>): Promise<Map<string, number>> {
  for (let attempt = 0; ; attempt++) {
    const counts = new Map<string, number>();
    for (const { message, function_request_id: id } of parsed(router)) {
      if (message === 'request' && id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    if (counts.size >= ids.size || attempt === 20) return counts;
    await sleep(100);
  }
}

function memoryOf(router: LoopbackFunction): MemorySample[][] {
  const byProcess = new Map<number, MemorySample[]>();
  for (const { message, pid = 0, held = 0, rss = 0 } of parsed(router)) {
    if (message === 'memory') byProcess.set(pid, [...(byProcess.get(pid) ?? []), { held, rss }]);
  }
  return [...byProcess.values()];
}
