/** The ways to serve a model, as far as they decide what it costs. */
import type { Invocation } from './invocation-cost.js';
import type { ApiType } from './prices.js';

/** A function that answers requests: what each of them takes of it. */
export interface FunctionUse extends Invocation {
  /** Environments that are kept ready; undefined: none. */
  readonly provisioned?: ProvisionedUse | undefined;
}

/** So many environments that `utilization` of them are at work, within bounds. */
export interface ProvisionedUse {
  readonly min: number;
  /** As `min`: the number is fixed. */
  readonly max: number;
  /** A share, as Application Auto Scaling's target. */
  readonly utilization: number;
}

/** Instances of SageMaker. */
export interface GpuUse {
  readonly instanceType: string;
  readonly minInstances: number;
  readonly maxInstances: number;
  /** What one instance answers. */
  readonly requestsPerSecond: number;
  /** How long a request takes there, in milliseconds: whoever waits for it is billed. */
  readonly milliseconds: number;
  /** Instances that are there whatever happens, and are not counted on: a shadow's, further variants'. */
  readonly beside?: readonly { readonly instanceType: string; readonly instances: number }[] | undefined;
}

/** Requests to API Gateway; `router` stands between it and what answers, and waits for that. */
interface Entrance {
  /** Undefined: none, callers invoke what is behind. */
  readonly api?: ApiType | undefined;
  /** `milliseconds` are its own work: the wait is added. */
  readonly router?: FunctionUse | undefined;
}

/** A Lambda function; with `gpu`, one that a GPU stands by for. */
export interface LambdaServing extends Entrance {
  readonly kind: 'lambda';
  readonly predict: FunctionUse;
  readonly gpu?: { readonly use: GpuUse; readonly share: number } | undefined;
}

/** A GPU that answers every request at once. */
export interface RealTimeServing extends Entrance {
  readonly kind: 'gpu-real-time';
  readonly gpu: GpuUse;
}

/** A GPU with a queue: a request is answered with a job, and there are instances only while jobs come. */
export interface AsynchronousServing extends Entrance {
  readonly kind: 'gpu-asynchronous';
  readonly gpu: GpuUse;
  /** The share of the month in which requests come, and instances run. */
  readonly dutyCycle: number;
  /** How often a caller asks for a job until it is done. */
  readonly polls: number;
}

export type Serving = LambdaServing | RealTimeServing | AsynchronousServing;

/** The router with the time that it waits for what answers; undefined where there is none. */
export function routerOf(serving: Serving): FunctionUse | undefined {
  const { router } = serving;
  return router === undefined ? undefined : { ...router, milliseconds: router.milliseconds + waits(serving) };
}

function waits(serving: Serving): number {
  switch (serving.kind) {
    case 'lambda': {
      const { predict, gpu } = serving;
      return gpu === undefined
        ? predict.milliseconds
        : predict.milliseconds * (1 - gpu.share) + gpu.use.milliseconds * gpu.share;
    }
    case 'gpu-real-time':
      return serving.gpu.milliseconds;
    case 'gpu-asynchronous':
      // For nobody: a job is begun, or asked for.
      return 0;
  }
}
