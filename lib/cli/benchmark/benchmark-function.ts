/** Latencies of a deployed function, on the CPU that it really has. */
import type { Architecture, Signature } from '../../artifact/manifest.js';
import { type Percentiles, percentiles } from '../../compiler/comparison/timing.js';
import { openDataSet } from '../../compiler/data/open-data-set.js';
import { sampleInputs } from '../../compiler/runtime/sample-inputs.js';
import { invocationCost } from '../../cost/invocation-cost.js';
import { PRICES } from '../../cost/prices.js';
import { ConfigurationError, RuntimeError } from '../../errors.js';
import { fromV2DataType } from '../../protocol/data-types.js';
import type { NamedTensor } from '../../protocol/tensor.js';
import type { BenchmarkData } from './benchmark-here.js';
import { DeployedFunction } from './deployed-function.js';
import { httpApiEvent, inferEvent } from './http-api-event.js';
import { sendLoad } from './load.js';

export interface BenchmarkFunctionOptions {
  /** Name or ARN. */
  readonly function: string;
  /** Default: the first model that the function lists. */
  readonly model?: string;
  readonly requests: number;
  readonly concurrency: number;
  /** Samples to send; without them, made-up tensors of the model's signature. */
  readonly data?: BenchmarkData;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface FunctionBenchmark {
  readonly function: string;
  readonly model: string;
  /** As the function's configuration says; null where the caller may not read it. */
  readonly architecture: Architecture | null;
  /** MB; null where neither the configuration nor a report says it. */
  readonly memorySize: number | null;
  readonly isSynthetic: boolean;
  readonly requests: number;
  readonly concurrency: number;
  readonly answered: number;
  readonly throttled: number;
  readonly failed: Readonly<Record<string, number>>;
  /** Answers in a second. */
  readonly throughput: number;
  /** ms; null where there were none. `warm` are requests that an environment waited for. */
  readonly warm: RequestTimes | null;
  readonly cold: (RequestTimes & { readonly init: Percentiles | null }) | null;
  readonly maxMemoryUsed: number | null;
  /** US dollars for a million requests like these, without API and transfer. */
  readonly cost: {
    readonly warm: number | null;
    readonly cold: number | null;
    readonly region: string;
    readonly date: string;
  };
}

export interface RequestTimes {
  readonly count: number;
  /** From here and back. */
  readonly roundTrip: Percentiles;
  /** Of the handler, as Lambda reports it. */
  readonly duration: Percentiles | null;
}

/** @throws ConfigurationError AWS_SDK_MISSING, BENCHMARK_…; RuntimeError BENCHMARK_… */
export async function benchmarkFunction(options: BenchmarkFunctionOptions): Promise<FunctionBenchmark> {
  const { requests, concurrency, signal, data } = options;
  const target = await DeployedFunction.open(options.function);
  try {
    const model = options.model ?? (await firstModel(target, options.function, signal));
    const signature = await signatureOf(target, model, signal);
    const events =
      data === undefined ? [madeUpEvent(model, signature)] : await dataEvents(model, signature, data, options);
    const facts = await target.facts(signal);
    const result = await sendLoad(target, (index) => events[index % events.length] ?? '', options);
    const { answered } = result;
    const reports = answered.flatMap(({ report }) => (report === undefined ? [] : [report]));
    const architecture = facts.architecture ?? null;
    const memorySize = facts.memorySize ?? reports[0]?.memorySize ?? null;
    const warm = answered.filter(({ isCold }) => isCold !== true);
    const cold = answered.filter(({ isCold }) => isCold === true);
    const init = cold.flatMap(({ report }) => (report?.initDuration === undefined ? [] : [report.initDuration]));
    const peaks = reports.flatMap(({ maxMemoryUsed }) => (maxMemoryUsed === undefined ? [] : [maxMemoryUsed]));
    return {
      function: options.function,
      model,
      architecture,
      memorySize,
      isSynthetic: data === undefined,
      requests,
      concurrency,
      answered: answered.length,
      throttled: result.throttled,
      failed: Object.fromEntries(result.failed),
      throughput: answered.length / (result.milliseconds / 1000),
      warm: timesOf(warm),
      cold: cold.length === 0 ? null : { ...requireTimes(cold), init: init.length === 0 ? null : percentiles(init) },
      maxMemoryUsed: peaks.length === 0 ? null : Math.max(...peaks),
      cost: {
        warm: costOf(warm, architecture, memorySize),
        cold: costOf(cold, architecture, memorySize),
        region: PRICES.region,
        date: PRICES.date,
      },
    };
  } finally {
    target.close();
  }
}

type Answers = Awaited<ReturnType<typeof sendLoad>>['answered'];

function timesOf(answers: Answers): RequestTimes | null {
  return answers.length === 0 ? null : requireTimes(answers);
}

function requireTimes(answers: Answers): RequestTimes {
  const durations = answers.flatMap(({ report }) => (report === undefined ? [] : [report.duration]));
  return {
    count: answers.length,
    roundTrip: percentiles(answers.map(({ roundTrip }) => roundTrip)),
    duration: durations.length === 0 ? null : percentiles(durations),
  };
}

/** Of a million: what is billed where the report says it, else duration and init. arm64 where nobody says what it is. */
function costOf(answers: Answers, architecture: Architecture | null, memorySize: number | null): number | null {
  const costs = answers.flatMap(({ report }) => {
    if (report === undefined || memorySize === null) return [];
    const milliseconds = report.billedDuration ?? report.duration + (report.initDuration ?? 0);
    return [invocationCost({ architecture: architecture ?? 'arm64', memorySize, milliseconds })];
  });
  return costs.length === 0 ? null : (costs.reduce((sum, cost) => sum + cost, 0) / costs.length) * 1e6;
}

async function firstModel(target: DeployedFunction, name: string, signal: AbortSignal): Promise<string> {
  const { models } = await get(target, '/v2/models', signal);
  const [first] = Array.isArray(models) ? (models as readonly { readonly name?: unknown }[]) : [];
  if (typeof first?.name === 'string') return first.name;
  throw new ConfigurationError({
    code: 'BENCHMARK_NO_MODEL',
    message: `${name} lists no models: it is no function of cdk-onnx.`,
    advice: 'Name a function that an InferenceFunction or InferenceEndpoint made.',
  });
}

async function signatureOf(target: DeployedFunction, model: string, signal: AbortSignal): Promise<Signature> {
  const metadata = await get(target, `/v2/models/${encodeURIComponent(model)}`, signal);
  const tensors = (list: unknown) =>
    (Array.isArray(list) ? (list as readonly Record<string, unknown>[]) : []).flatMap(({ name, datatype, shape }) => {
      const dataType = fromV2DataType(datatype);
      if (typeof name !== 'string' || dataType === undefined || !Array.isArray(shape)) return [];
      return [{ name, dataType, shape: shape.map((size: unknown) => (Number(size) >= 0 ? Number(size) : null)) }];
    });
  return { inputs: tensors(metadata.inputs), outputs: tensors(metadata.outputs) };
}

async function get(target: DeployedFunction, path: string, signal: AbortSignal): Promise<Record<string, unknown>> {
  const invocation = await target.invoke(httpApiEvent({ method: 'GET', path }), signal);
  const refusal = (what: string) =>
    new RuntimeError({
      code: 'BENCHMARK_REFUSED',
      message: `The function did not answer GET ${path}: ${what}.`,
      advice: 'Name a function of cdk-onnx, and with --model one of its models; its log says more.',
    });
  if (invocation.kind === 'throttled') throw refusal('Lambda throttled the request');
  if (invocation.kind === 'failed') throw refusal(invocation.reason);
  const { status, body, isBase64Encoded } = invocation.answer;
  const text = isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body;
  if (status !== 200) throw refusal(`${status} ${text.slice(0, 300)}`);
  return JSON.parse(text) as Record<string, unknown>;
}

function madeUpEvent(model: string, signature: Signature): string {
  const tensors = Object.entries(sampleInputs(signature.inputs)).map(([name, { dataType, dims, data }]) => ({
    name,
    dataType,
    shape: dims,
    data,
  }));
  return inferEvent(model, tensors);
}

/** As many samples as there are requests at most; the first step of a sequence. */
async function dataEvents(
  model: string,
  signature: Signature,
  { path, ...source }: BenchmarkData,
  { requests, signal }: BenchmarkFunctionOptions,
): Promise<string[]> {
  const data = await openDataSet(path, { ...source, signature, signal });
  const events: string[] = [];
  for await (const { steps } of data.read(data.ids.slice(0, requests))) {
    const tensors = Object.entries(steps[0] ?? {}).map(
      ([name, tensor]): NamedTensor => ({
        name,
        dataType: tensor.dataType,
        shape: tensor.dims,
        data: tensor.data,
      }),
    );
    events.push(inferEvent(model, tensors));
  }
  return events;
}
