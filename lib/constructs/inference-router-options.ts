import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Architecture, Tracing } from 'aws-cdk-lib/aws-lambda';
import type { ILogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { RouterPolicyOptions } from '../artifact/router-policy.js';
import type { AsynchronousGpuEndpoint } from './asynchronous-gpu-endpoint.js';
import type { InferenceFunction } from './inference-function.js';
import type { ProvisionedConcurrency } from './provisioned-concurrency.js';
import type { RealTimeGpuEndpoint } from './real-time-gpu-endpoint.js';
import type { TelemetryOptions } from './telemetry.js';

/** What a router can be given beside what it stands in front of. */
export interface InferenceRouterOptions extends TelemetryOptions {
  /**
   * Where requests are computed, and what happens when that fails: what differs from the default, with times in milliseconds, as in the
   * router's own variable and log. It has to be known at synth.
   * @default - Lambda computes, for 14 s at most, and SageMaker what Lambda does not; with a `gpuQueue` jobs are made of what neither does
   */
  readonly policy?: RouterPolicyOptions;
  /**
   * The processor; the router runs on either.
   * @default - that of the function that predicts
   */
  readonly architecture?: Architecture;
  /**
   * Memory in MiB, 512 to 10,240. Below 1,024 a request of 1 MB takes more than 50 ms of CPU time.
   * @default 1024
   */
  readonly memorySize?: number;
  /**
   * How many requests the router works on at once: a part of the account's concurrency that is its own, and its limit.
   * @default - 60, or twice what the function that predicts has, if that is more
   */
  readonly reservedConcurrentExecutions?: number;
  /**
   * Whether the router has concurrency of its own where `reservedConcurrentExecutions` does not say how much. Each request holds an execution of
   * the router and one of the function that predicts, and both take them from one pool: without a part of its own the router is throttled by
   * what it is there for. An account that has no more than 100 executions, as new ones, cannot give any away: then raise its quota
   * "Concurrent executions", or turn this off.
   * @default true
   */
  readonly reserveConcurrency?: boolean;
  /**
   * Environments of the alias `live` that are started ahead of requests; `false` for none.
   * @default - as many as the function that predicts has
   */
  readonly provisionedConcurrency?: ProvisionedConcurrency | false;
  /**
   * How many published versions stay, as for an `InferenceFunction`.
   * @default - all: nothing is deleted
   */
  readonly keepVersions?: number;
  /**
   * AWS X-Ray.
   * @default Tracing.DISABLED
   */
  readonly tracing?: Tracing;
  /**
   * The KMS key of the environment variables. The router's role may decrypt with it, nothing else.
   * @default - a key that AWS owns
   */
  readonly environmentEncryption?: IKey;
  /**
   * The network that the router reaches Lambda and SageMaker by: through a NAT gateway, or through interface endpoints for Lambda and for
   * SageMaker's runtime, and one for S3 with a queue. It is called through Lambda's API either way.
   * @default - none: it reaches them over the internet
   */
  readonly vpc?: IVpc;
  /**
   * Subnets of `vpc`, 1 to 16, none of them public.
   * @default - the private subnets with a way out; without those, the isolated ones
   */
  readonly vpcSubnets?: SubnetSelection;
  /**
   * 1 to 5, instead of a security group of its own.
   * @default - one of its own, without ingress; see `connections`
   */
  readonly securityGroups?: readonly ISecurityGroup[];
  /**
   * Whether the router's own security group lets everything out; otherwise add to `connections` what it may reach.
   * @default true
   */
  readonly allowAllOutbound?: boolean;
  /**
   * Where the router logs.
   * @default - a log group of its own, which is deleted with the stack
   */
  readonly logGroup?: ILogGroup;
  /**
   * How long the router's own log group keeps its lines.
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays;
  /**
   * The KMS key of the router's own log group. A key of this app is told that CloudWatch Logs may use it for log groups of this stack;
   * the policy of an imported key has to say so already.
   * @default - a key that AWS owns
   */
  readonly logEncryption?: IKey;
}

/** Properties of an `InferenceRouter`: at least one of `gpuEndpoint` and `gpuQueue`. */
export interface InferenceRouterProps extends InferenceRouterOptions {
  /** The function that predicts. Nobody streams its answers then. */
  readonly inferenceFunction: InferenceFunction;
  /**
   * The same model on a GPU that answers at once.
   * @default - none: what Lambda does not answer becomes a job of `gpuQueue`
   */
  readonly gpuEndpoint?: RealTimeGpuEndpoint;
  /**
   * The same model on a GPU with a queue, for jobs: of requests that nobody answers, unless `policy.onGpuUnavailable` is 'fail', and of uploads.
   * @default - none: a request that nobody answers fails
   */
  readonly gpuQueue?: AsynchronousGpuEndpoint;
}
