import type { RouterPolicyOptions } from '../artifact/router-policy.js';
import type {
  AsynchronousGpuEndpointProps,
  GpuEndpointOptions,
  RealTimeGpuEndpointProps,
} from './gpu-endpoint-options.js';
import type { InferenceRouterOptions } from './inference-router-options.js';

/** Options of the GPU that answers at once, with those of `gpu` as their defaults. */
export type RealTimeGpuOptions = Partial<Omit<RealTimeGpuEndpointProps, 'model'>>;
/** Options of the GPU with a queue, with those of `gpu` as their defaults. */
export type QueuedGpuOptions = Partial<Omit<AsynchronousGpuEndpointProps, 'model'>>;

/**
 * A GPU on SageMaker for what Lambda does not answer, and the router that decides. The model needs a `gpu` section in its model.json. What
 * is said beside `policy`, `realTime`, `queue` and `router` holds for either kind of GPU endpoint.
 */
export interface InferenceGpuOptions extends Partial<Omit<GpuEndpointOptions, 'model'>> {
  /**
   * Where requests are computed, and what happens when that fails: what differs from the default. Times are in milliseconds.
   * @default - as for an `InferenceRouter`; its timeout a second below `apiTimeout` at most
   */
  readonly policy?: RouterPolicyOptions;
  /**
   * The GPU that answers at once, which always has an instance that is paid. `false`: there is `queue` alone.
   * @default - one instance, and a second one under load
   */
  readonly realTime?: RealTimeGpuOptions | false;
  /**
   * A GPU with a queue, which costs nothing while there is nothing to do: what nobody answers now becomes a job, and the caller gets 202 with
   * its address; so does what callers upload because it is too large for Lambda. With `policy.onGpuUnavailable` 'fail' only uploads become jobs.
   * @default - none, unless `policy.onGpuUnavailable` is 'queue': what nobody answers is a 503
   */
  readonly queue?: QueuedGpuOptions | boolean;
  /**
   * Of the router.
   * @default - what the model's function has of `architecture`, `tracing`, `keepVersions`, `environmentEncryption`, its log and its metrics
   */
  readonly router?: Omit<InferenceRouterOptions, 'policy' | 'reserveConcurrency'>;
  /**
   * Whether the model's function and its router have concurrency of their own where `reservedConcurrentExecutions` of either does not say how
   * much: 30 and 60 of the account's, so that ten models fit an account with the default quota. See `InferenceRouter`.
   * @default true
   */
  readonly reserveConcurrency?: boolean;
}
