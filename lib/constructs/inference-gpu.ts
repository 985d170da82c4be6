/** A model's endpoints on SageMaker and its router, as an `InferenceEndpoint` makes them of its `gpu` options. */
import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { MAX_TIMEOUT_MS, MIN_TIMEOUT_MS, type RouterPolicyOptions } from '../artifact/router-policy.js';
import type { AsynchronousGpuEndpoint } from './asynchronous-gpu-endpoint.js';
import { GpuEndpoint } from './gpu-endpoint.js';
import type { AsynchronousGpuEndpointProps, RealTimeGpuEndpointProps } from './gpu-endpoint-options.js';
import { asynchronousProblems, realTimeProblems } from './gpu-endpoint-problems.js';
import type { InferenceApiOptions } from './inference-api-options.js';
import type { InferenceFunction } from './inference-function.js';
import type { InferenceFunctionOptions } from './inference-function-options.js';
import type { InferenceGpuOptions, QueuedGpuOptions, RealTimeGpuOptions } from './inference-gpu-options.js';
import { API_OVER_POLICY_MS, InferenceRouter } from './inference-router.js';
import type { InferenceRouterOptions } from './inference-router-options.js';
import { routerOptionProblems } from './inference-router-problems.js';
import type { Model } from './model.js';
import type { Problem } from './problems.js';
import type { RealTimeGpuEndpoint } from './real-time-gpu-endpoint.js';
import { predictConcurrency } from './router-concurrency.js';

/** What `gpu` comes to. */
interface GpuPlan {
  readonly realTime: RealTimeGpuOptions | undefined;
  readonly queue: QueuedGpuOptions | undefined;
  readonly router: InferenceRouterOptions;
}

/** What stands around a model with a GPU. */
interface Surroundings {
  /** Those of the function that predicts, whose log and keys the others share. */
  readonly functionOptions: InferenceFunctionOptions;
  readonly apiOptions: InferenceApiOptions;
}

/** What is wrong with `gpu`, as far as it shows before a model is built. */
export function gpuProblems(
  scope: Construct,
  gpu: InferenceGpuOptions,
  around: Surroundings,
  models: readonly Model[],
) {
  const { realTime, queue, router } = planOf(gpu, around);
  const stack = Stack.of(scope);
  return [
    ...(realTime === undefined && queue === undefined
      ? [
          {
            code: 'GPU_WITHOUT_ENDPOINT',
            message: 'gpu.realTime is false, and there is no gpu.queue, so there is no GPU.',
            advice: 'Leave realTime out, add queue: true, or leave gpu out.',
          },
        ]
      : []),
    ...models.flatMap((model) => [
      ...(realTime === undefined ? [] : realTimeProblems(stack, { ...realTime, model })),
      ...(queue === undefined ? [] : asynchronousProblems(stack, { ...queue, model })),
    ]),
    ...routerOptionProblems(router, queue !== undefined),
    ...apiOptionProblems(around.apiOptions),
  ].filter(isFirstOfItsKind);
}

/** What the function that predicts is given where there is a router in front of it. */
export function behindRouter(options: InferenceFunctionOptions, gpu: InferenceGpuOptions): InferenceFunctionOptions {
  if (gpu.reserveConcurrency === false || options.reservedConcurrentExecutions !== undefined) return options;
  return { ...options, ...given({ reservedConcurrentExecutions: predictConcurrency(options) }) };
}

/** The model's GPUs and its router, as children of `scope`. */
export function addGpu(
  scope: Construct,
  model: Model,
  inferenceFunction: InferenceFunction,
  gpu: InferenceGpuOptions,
  around: Surroundings,
): InferenceRouter {
  const { realTime, queue, router } = planOf(gpu, around);
  const children = new Construct(scope, model.name);
  const gpuEndpoint: RealTimeGpuEndpoint | undefined =
    realTime && GpuEndpoint.realTime(children, 'RealTime', { ...realTime, model } as RealTimeGpuEndpointProps);
  const gpuQueue: AsynchronousGpuEndpoint | undefined =
    queue && GpuEndpoint.asynchronous(children, 'Queue', { ...queue, model } as AsynchronousGpuEndpointProps);
  return new InferenceRouter(children, 'Router', {
    ...router,
    inferenceFunction,
    ...(gpuEndpoint === undefined ? {} : { gpuEndpoint }),
    ...(gpuQueue === undefined ? {} : { gpuQueue }),
  });
}

function planOf(gpu: InferenceGpuOptions, { functionOptions, apiOptions }: Surroundings): GpuPlan {
  const { policy = {}, realTime = {}, router = {}, reserveConcurrency, queue, ...common } = gpu;
  const { assetBucketKey, logRetention, logEncryption } = functionOptions;
  const ofEither = { ...given({ assetBucketKey, logRetention, logEncryption }), ...common };
  const hasQueue = queue === undefined ? policy.onGpuUnavailable === 'queue' : queue !== false;
  return {
    realTime: realTime === false ? undefined : { ...ofEither, ...realTime },
    queue: hasQueue ? { ...ofEither, ...(typeof queue === 'object' ? queue : {}) } : undefined,
    router: {
      ...asFunction(functionOptions, router),
      ...router,
      ...given({ reserveConcurrency }),
      policy: { ...timeoutOf(apiOptions), ...policy },
    },
  };
}

/** What a router has as the function behind it; without what would contradict an option of its own. */
function asFunction(
  { architecture, tracing, keepVersions, environmentEncryption, ...options }: InferenceFunctionOptions,
  router: InferenceRouterOptions,
): InferenceRouterOptions {
  const ownsLog = [router.logGroup, router.logRetention, router.logEncryption].some((option) => option !== undefined);
  const ownsMetrics = router.metricsNamespace !== undefined || router.publishMetrics !== undefined;
  const { logLevel, logGroup, logRetention, logEncryption, metricsNamespace, publishMetrics } = options;
  return given({
    architecture,
    tracing,
    keepVersions,
    environmentEncryption,
    logLevel,
    ...(ownsLog ? {} : { logGroup, logRetention, logEncryption }),
    ...(ownsMetrics ? {} : { metricsNamespace, publishMetrics }),
  });
}

/** An API that gives up earlier than usual leaves the router less time. */
function timeoutOf({ apiTimeout }: InferenceApiOptions): RouterPolicyOptions {
  if (apiTimeout === undefined || apiTimeout.isUnresolved()) return {};
  const timeout = Math.floor(apiTimeout.toMilliseconds() - API_OVER_POLICY_MS);
  return timeout < MAX_TIMEOUT_MS && timeout >= MIN_TIMEOUT_MS ? { timeout } : {};
}

function apiOptionProblems(options: InferenceApiOptions): Problem[] {
  const { apiTimeout } = options;
  const shortest = MIN_TIMEOUT_MS + API_OVER_POLICY_MS;
  return [
    ...(apiTimeout !== undefined && !apiTimeout.isUnresolved() && apiTimeout.toMilliseconds() < shortest
      ? [
          {
            code: 'API_TIMEOUT_BELOW_ROUTER',
            message: `apiTimeout is ${apiTimeout.toMilliseconds()} ms, and a router needs ${shortest} ms with its start.`,
            advice: 'Give a longer apiTimeout, or leave gpu out.',
          },
        ]
      : []),
    ...('streaming' in options && options.streaming === true
      ? [
          {
            code: 'STREAMING_WITH_ROUTER',
            message:
              'streaming and gpu are both given. A router has to see an answer whole before it can be sure of it.',
            advice: 'Leave one of them out.',
          },
        ]
      : []),
  ];
}

/** Without what is undefined: an option that is not given has a default. */
function given<Options extends object>(options: { [Name in keyof Options]: Options[Name] | undefined }) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<Options>;
}

/** Several models with the same options have the same problems. */
function isFirstOfItsKind({ message }: Problem, index: number, all: readonly Problem[]): boolean {
  return all.findIndex((other) => other.message === message) === index;
}
