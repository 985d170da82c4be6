import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Architecture, FunctionOptions, Tracing } from 'aws-cdk-lib/aws-lambda';
import type { ILogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Duration, Size } from 'aws-cdk-lib/core';
import type { InferenceDeployment } from './inference-deployment.js';
import type { ProvisionedConcurrency } from './provisioned-concurrency.js';
import type { RequestCaptureOptions } from './request-capture-options.js';
import type { TelemetryOptions } from './telemetry.js';

/** What a function can be given beside its model. */
export interface InferenceFunctionOptions extends TelemetryOptions {
  /**
   * The processor; the model and onnxruntime are built for it.
   * @default - the context `cdk-onnx:architecture`, else arm64, which costs a fifth less
   */
  readonly architecture?: Architecture;
  /**
   * Memory in MiB, 128 to 10,240. It decides the share of CPU too: onnxruntime uses one thread per 1,769 MiB, rounded.
   * @default 1769 - one vCPU; more where a model that comes from S3 takes more
   */
  readonly memorySize?: number;
  /**
   * The size of the function's /tmp, 512 to 10,240 MiB.
   * @default - 512 MiB; more where a model that comes from S3 takes more
   */
  readonly ephemeralStorageSize?: Size;
  /**
   * How long one request may take, with the cold start if there is one.
   * @default - 29 seconds, just under what an HTTP API waits
   */
  readonly timeout?: Duration;
  /**
   * How many requests a function may work on at once: a part of the account's concurrency that is its own, and its limit.
   * More are refused; an HTTP API then answers 500. 0 turns the function off.
   * @default - none: it shares the account's
   */
  readonly reservedConcurrentExecutions?: number;
  /**
   * Environments of the alias `live` that are started ahead of requests, with the model loaded: requests that they take do not start
   * cold, others may. Without bounds that differ their number is fixed. Before you take a scaled one away, deploy a fixed one:
   * CloudFormation leaves what scaling has set (https://github.com/aws/aws-cdk/issues/31507).
   * @default - none: the first requests start cold
   */
  readonly provisionedConcurrency?: ProvisionedConcurrency;
  /**
   * How new versions get their traffic. With `provisionedConcurrency`, Lambda changes no number of environments while traffic is shifted
   * between two versions: scaling and schedules wait. Change the number in a deployment of
   * its own.
   * @default - all at once, without CodeDeploy: the alias is moved
   */
  readonly deployment?: InferenceDeployment;
  /**
   * How many published versions of the function stay, 1 or more; older ones are deleted with the layer versions that nothing else
   * uses, after a deployment that published a version and from the one on that finds this option already deployed. What an alias
   * points to stays, and so does what the deployment replaced, for its rollback.
   * @default - all: nothing is deleted
   */
  readonly keepVersions?: number;
  /**
   * AWS X-Ray.
   * @default Tracing.DISABLED
   */
  readonly tracing?: Tracing;
  /**
   * Further environment variables.
   * @default - none but `CDK_ONNX_ARTIFACT`, `ORT_DISABLE_TELEMETRY`, those of `logLevel` and metrics, `CDK_ONNX_MODELS` on an API's
   * first function, and `CDK_ONNX_CORS` behind a REST API with `cors`
   */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * The KMS key of the environment variables. The function's role may decrypt with it, nothing else.
   * @default - a key that AWS owns
   */
  readonly environmentEncryption?: IKey;
  /**
   * The KMS key of the bucket for the CDK's assets, where it was bootstrapped with one of yours (`--bootstrap-customer-key`,
   * `--bootstrap-kms-key-id`). A function whose model comes from S3 may then decrypt with it, through S3 only.
   * @default - none: the bucket's key is S3's or AWS's own, which asks for no permission
   */
  readonly assetBucketKey?: IKey;
  /**
   * The network that the function reaches. It is called through Lambda's API either way, never from the network.
   * @default - none: it reaches the internet and nothing private
   */
  readonly vpc?: IVpc;
  /**
   * Subnets of `vpc`, 1 to 16. A public subnet gives a function no way to the internet, so it is refused.
   * @default - the private subnets with a way out; without those, the isolated ones
   */
  readonly vpcSubnets?: SubnetSelection;
  /**
   * 1 to 5, instead of a security group of its own.
   * @default - one of its own, without ingress; see `connections`
   */
  readonly securityGroups?: readonly ISecurityGroup[];
  /**
   * Whether the function's own security group lets everything out; otherwise add to `connections` what it may reach.
   * @default true
   */
  readonly allowAllOutbound?: boolean;
  /**
   * Which share of requests is held against the input profile of the build, 0 to 1. Without a `drift` section in model.json there is none.
   * @default 0.1
   */
  readonly driftShare?: number;
  /**
   * Keeps a share of the requests with their answers in S3: to look at, or to replay against a new version.
   * @default - none is kept
   */
  readonly capture?: RequestCaptureOptions;
  /**
   * Where the function logs.
   * @default - a log group of its own, which is deleted with the stack
   */
  readonly logGroup?: ILogGroup;
  /**
   * How long the function's own log group keeps its lines.
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays;
  /**
   * The KMS key of the function's own log group. A key of this app is told that CloudWatch Logs may use it for log groups of this
   * stack; the policy of an imported key has to say so already.
   * @default - a key that AWS owns
   */
  readonly logEncryption?: IKey;
}

/** The network as CDK's function takes it. */
export function networkOptions(
  props: Pick<InferenceFunctionOptions, 'vpc' | 'vpcSubnets' | 'securityGroups' | 'allowAllOutbound'>,
): FunctionOptions {
  const { vpc, vpcSubnets, securityGroups, allowAllOutbound } = props;
  return {
    ...(vpc === undefined ? {} : { vpc }),
    ...(vpcSubnets === undefined ? {} : { vpcSubnets }),
    ...(securityGroups === undefined ? {} : { securityGroups: [...securityGroups] }),
    ...(allowAllOutbound === undefined ? {} : { allowAllOutbound }),
  };
}

/** A model's own options before those of its endpoint; without what says more of an option that the model replaces. */
export function inheritOptions(
  ofEndpoint: InferenceFunctionOptions,
  ofModel: InferenceFunctionOptions,
): InferenceFunctionOptions {
  const inherited: { -readonly [Name in keyof InferenceFunctionOptions]: InferenceFunctionOptions[Name] } = {
    ...ofEndpoint,
  };
  if (ofModel.logGroup !== undefined) {
    delete inherited.logRetention;
    delete inherited.logEncryption;
  }
  if (ofModel.logRetention !== undefined || ofModel.logEncryption !== undefined) delete inherited.logGroup;
  if (ofModel.publishMetrics === false) delete inherited.metricsNamespace;
  if (ofModel.metricsNamespace !== undefined) delete inherited.publishMetrics;
  if (ofModel.vpc !== undefined) {
    delete inherited.vpcSubnets;
    delete inherited.securityGroups;
  }
  if (ofModel.securityGroups !== undefined) delete inherited.allowAllOutbound;
  if (ofModel.allowAllOutbound !== undefined) delete inherited.securityGroups;
  return { ...inherited, ...ofModel };
}
