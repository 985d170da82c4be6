import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { Role } from 'aws-cdk-lib/aws-iam';
import {
  Alias,
  type CfnFunction,
  type IVersion,
  Function as LambdaFunction,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { RouterMetric } from '../artifact/function-metrics.js';
import { completePolicy, type RouterPolicy } from '../artifact/router-policy.js';
import type { Task } from '../artifact/task.js';
import { SynthesisError } from '../errors.js';
import type { AsynchronousGpuEndpoint } from './asynchronous-gpu-endpoint.js';
import { createLogGroup } from './encrypted-log-group.js';
import { checkEnvironmentAtSynth } from './environment-problems.js';
import { ROUTER_VARIABLES } from './function-variables.js';
import type { QueuePages } from './gpu-queue.js';
import { addIdleEnvironments } from './idle-cost.js';
import type { InferenceFunction } from './inference-function.js';
import { networkOptions } from './inference-function-options.js';
import type { InferenceRouterProps } from './inference-router-options.js';
import { routerProblems } from './inference-router-problems.js';
import { createRouterRole } from './inference-router-role.js';
import type { InferenceTarget, ResponseMode, Routing } from './inference-target.js';
import { ModelInterfaceLayer } from './model-interface-layer.js';
import { routerAsset } from './prepared-asset.js';
import { throwProblems } from './problems.js';
import {
  type ProvisionedConcurrency,
  type ProvisionedConcurrencyScaling,
  scaleProvisionedConcurrency,
} from './provisioned-concurrency.js';
import type { RealTimeGpuEndpoint } from './real-time-gpu-endpoint.js';
import { announceConcurrency, reservedOf, routerConcurrency } from './router-concurrency.js';
import { ServedFunction } from './served-function.js';
import { functionMetric, type TelemetryOptions, telemetryVariables } from './telemetry.js';
import { VersionRetention } from './version-retention.js';

/** Half of a vCPU and more: a request of 1 MB takes 20 ms of it. */
const DEFAULT_MEMORY_MIB = 1024;
/** What the router has beyond its policy's time, to write an answer down. */
const TIME_TO_ANSWER_SECONDS = 1;
/** What an API waits longer than a policy's time: an environment of the router may have to start. */
export const API_OVER_POLICY_MS = 1_000;

/**
 * In front of the function that predicts: hands requests on to it, and to a GPU on SageMaker what it does not, cannot or should not answer. A
 * function that is throttled, has crashed or computes cannot do that itself.
 *
 * @throws SynthesisError with every fault of the properties
 */
export class InferenceRouter extends ServedFunction implements InferenceTarget {
  /** The function itself. */
  readonly function: LambdaFunction;
  /** `live`: what callers invoke. */
  readonly alias: Alias;
  /** What the router may do. */
  readonly role: Role;
  /** Where its logs go. */
  readonly logGroup: ILogGroup;
  /** What stands behind it. */
  readonly inferenceFunction: InferenceFunction;
  /** The GPU that answers at once; undefined where there is a queue alone. */
  readonly gpuEndpoint: RealTimeGpuEndpoint | undefined;
  /** The GPU with a queue; undefined where there are no jobs. */
  readonly gpuQueue: AsynchronousGpuEndpoint | undefined;
  /**
   * What the router puts requests of TensorFlow Serving and of the model's task into tensors by. Undefined for a queue alone of a model
   * without a task, or where the app runs without bundling and nothing was built.
   */
  readonly modelInterfaceLayer: ModelInterfaceLayer | undefined;
  /** The whole of it, defaults included. */
  readonly policy: RouterPolicy;
  /** Environments that are started ahead of requests; undefined where there are none. */
  readonly provisionedConcurrency: ProvisionedConcurrency | undefined;
  /** What sets the number of the alias' environments; undefined where it is fixed or there are none. */
  readonly provisionedConcurrencyScaling: ProvisionedConcurrencyScaling | undefined;
  /** What deletes old versions, one for all functions of the stack; undefined without `keepVersions`. */
  readonly versionRetention: VersionRetention | undefined;
  /** Whether its lines are metrics, so that there are more than those of AWS/Lambda. */
  readonly publishesMetrics: boolean;
  /** Its routes have this name. */
  readonly modelName: string;
  /** The integer version that clients may ask for. */
  readonly modelVersion: number;
  /** The kind of the model's task. */
  readonly taskType: Task['type'];
  private readonly telemetry: TelemetryOptions;

  constructor(scope: Construct, id: string, props: InferenceRouterProps) {
    super(scope, id);
    throwProblems(this.node.path, routerProblems(props));

    const { inferenceFunction, gpuEndpoint, gpuQueue } = props;
    this.inferenceFunction = inferenceFunction;
    this.gpuEndpoint = gpuEndpoint;
    this.gpuQueue = gpuQueue;
    this.modelName = inferenceFunction.modelName;
    this.modelVersion = inferenceFunction.modelVersion;
    this.taskType = inferenceFunction.taskType;
    this.telemetry = props;
    this.publishesMetrics = props.publishMetrics !== false;
    const given = { ...(gpuQueue === undefined ? {} : { onGpuUnavailable: 'queue' as const }), ...props.policy };
    this.policy = completePolicy(given).policy;
    // The router reads the result of an invocation.
    inferenceFunction.answerBy('buffered');

    this.logGroup =
      props.logGroup ??
      createLogGroup(this, 'Logs', { retention: props.logRetention, encryptionKey: props.logEncryption });
    const tracing = props.tracing ?? Tracing.DISABLED;
    this.role = createRouterRole(this, 'Role', {
      modelName: this.modelName,
      logGroup: this.logGroup,
      tracing: tracing !== Tracing.DISABLED,
      vpc: props.vpc !== undefined,
      functionArn: inferenceFunction.alias.functionArn,
      endpointArn: gpuEndpoint?.endpointArn,
      queue: gpuQueue,
    });
    props.environmentEncryption?.grantDecrypt(this.role);

    const { artifactFolder } = inferenceFunction.modelLayer;
    // A queue alone takes tensors, or makes jobs of requests of the task.
    const isTranslated = gpuEndpoint !== undefined || this.taskType !== 'tensor';
    this.modelInterfaceLayer =
      artifactFolder === undefined || !isTranslated
        ? undefined
        : new ModelInterfaceLayer(this, 'ModelInterface', { modelName: this.modelName, artifactFolder });
    const { provisionedConcurrency = inferenceFunction.provisionedConcurrency, reserveConcurrency = true } = props;
    const provisioned = provisionedConcurrency === false ? undefined : provisionedConcurrency;
    this.provisionedConcurrency = provisioned;
    const predict = reservedOf(inferenceFunction.function);
    const reserved =
      props.reservedConcurrentExecutions ?? (reserveConcurrency ? routerConcurrency(predict, provisioned) : undefined);
    this.function = new LambdaFunction(this, 'Function', {
      description: `cdk-onnx: router in front of the model ${this.modelName}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: props.architecture ?? inferenceFunction.function.architecture,
      code: routerAsset().code,
      handler: 'index.handler',
      ...(this.modelInterfaceLayer === undefined ? {} : { layers: [this.modelInterfaceLayer.layer] }),
      memorySize: props.memorySize ?? DEFAULT_MEMORY_MIB,
      timeout: Duration.seconds(Math.ceil(this.policy.timeout / 1000) + TIME_TO_ANSWER_SECONDS),
      environment: { ...telemetryVariables(props), ...this.variables(given) },
      role: this.role,
      logGroup: this.logGroup,
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN },
      ...(reserved === undefined ? {} : { reservedConcurrentExecutions: reserved }),
      ...(props.environmentEncryption === undefined ? {} : { environmentEncryption: props.environmentEncryption }),
      ...networkOptions(props),
    });
    const resource = this.function.node.defaultChild as CfnFunction;
    checkEnvironmentAtSynth(resource);
    // As for the function that predicts: CDK's own property would put a wildcard into the policy that users' grants share.
    if (tracing !== Tracing.DISABLED) resource.tracingConfig = { mode: tracing };
    // A layer's content is no property of the function, so on its own it would not publish a version.
    if (this.modelInterfaceLayer !== undefined) this.function.invalidateVersionBasedOn(this.modelInterfaceLayer.digest);
    announceConcurrency(this, this.modelName, { predict, router: reserved });
    // aws-cdk-lib's optional properties are typed without `undefined`, its classes with: a Version is an IVersion.
    this.alias = new Alias(this, 'Alias', { aliasName: 'live', version: this.function.currentVersion as IVersion });
    this.provisionedConcurrencyScaling = provisioned && scaleProvisionedConcurrency(this, this.alias, provisioned);
    addIdleEnvironments(this, `the router of ${this.modelName}`, provisioned, {
      architecture: this.function.architecture,
      memorySize: props.memorySize ?? DEFAULT_MEMORY_MIB,
    });
    this.versionRetention = this.retainVersions(props.keepVersions);
  }

  /** Those whose answers callers get: the router's, and through it those of the function behind it. */
  get functions(): readonly [LambdaFunction, LambdaFunction] {
    return [this.function, this.inferenceFunction.function];
  }

  /** Of what jobs are made: of nothing without a `gpuQueue`, and with the policy to fail of uploads alone. */
  get routing(): Routing {
    if (this.gpuQueue === undefined) return 'no-jobs';
    return this.policy.onGpuUnavailable === 'queue' ? 'jobs' : 'uploads';
  }

  /** How long an API has to wait for it at least, in ms: a second more than its policy's timeout. */
  get minApiTimeoutMs(): number {
    return this.policy.timeout + API_OVER_POLICY_MS;
  }

  /**
   * Called by `InferenceApi`: a router answers with its result.
   *
   * @throws SynthesisError `STREAMING_WITH_ROUTER`
   */
  answerBy(mode: ResponseMode): void {
    if (mode === 'buffered') return;
    throw new SynthesisError({
      code: 'STREAMING_WITH_ROUTER',
      message: `${this.node.path} has to see an answer whole before it can be sure of it, and its API streams answers.`,
      advice: 'Leave streaming out, or give the API the InferenceFunction without a router.',
    });
  }

  /** Called by `InferenceApi` with its `cors`: jobs have their requests and results in the bucket of `gpuQueue`. */
  allowPages(pages: QueuePages): void {
    this.gpuQueue?.allowPages(pages);
  }

  /**
   * A metric that the router writes: times as averages, counts as sums. Of `Fallbacks` and `RouterErrors` for one reason alone with
   * `dimensionsMap: { code: 'throttled' }`.
   *
   * @throws SynthesisError `METRICS_TURNED_OFF`
   */
  metricRouter(name: RouterMetric, options?: MetricOptions): Metric {
    return functionMetric(this, name, this.modelName, this.telemetry, options);
  }

  /** Milliseconds from the router's start to its answer: an average. */
  metricTime(options?: MetricOptions): Metric {
    return this.metricRouter('RouterTime', options);
  }

  /** Inferences that Lambda answered: a sum. */
  metricLambdaAnswers(options?: MetricOptions): Metric {
    return this.metricRouter('LambdaAnswers', options);
  }

  /** Inferences that the GPU answered: a sum. */
  metricGpuAnswers(options?: MetricOptions): Metric {
    return this.metricRouter('GpuAnswers', options);
  }

  /** Inferences that the GPU answered in place of Lambda; for one reason alone with `dimensionsMap: { code: 'throttled' }`: a sum. */
  metricFallbacks(options?: MetricOptions): Metric {
    return this.metricRouter('Fallbacks', options);
  }

  /** Requests that the router could not have answered; by one error alone with `dimensionsMap: { code: 'CIRCUIT_OPEN' }`: a sum. */
  metricRouterErrors(options?: MetricOptions): Metric {
    return this.metricRouter('RouterErrors', options);
  }

  /** Inferences that may have been executed twice: a sum. */
  metricExtraLoad(options?: MetricOptions): Metric {
    return this.metricRouter('ExtraLoad', options);
  }

  private variables(policy: Readonly<Record<string, unknown>>): Record<string, string> {
    const { gpuEndpoint, gpuQueue, inferenceFunction, modelInterfaceLayer } = this;
    return {
      [ROUTER_VARIABLES.predictFunction]: inferenceFunction.alias.functionArn,
      [ROUTER_VARIABLES.model]: this.modelName,
      [ROUTER_VARIABLES.modelVersion]: String(this.modelVersion),
      ...(gpuEndpoint === undefined ? {} : { [ROUTER_VARIABLES.gpuEndpoint]: gpuEndpoint.endpointName }),
      ...(modelInterfaceLayer === undefined ? {} : { [ROUTER_VARIABLES.modelInterface]: modelInterfaceLayer.path }),
      ...(gpuQueue === undefined
        ? {}
        : {
            [ROUTER_VARIABLES.gpuQueueEndpoint]: gpuQueue.endpointName,
            [ROUTER_VARIABLES.gpuQueueBucket]: gpuQueue.bucket.bucketName,
            // It has a UUID that no caller sees, so that ids of jobs cannot be told from what they are made of.
            [ROUTER_VARIABLES.jobSecret]: Stack.of(this).stackId,
          }),
      ...(Object.keys(policy).length === 0 ? {} : { [ROUTER_VARIABLES.policy]: JSON.stringify(policy) }),
    };
  }

  private retainVersions(keepVersions: number | undefined): VersionRetention | undefined {
    if (keepVersions === undefined) return undefined;
    const retention = VersionRetention.of(this);
    const layers = this.modelInterfaceLayer === undefined ? [] : [this.modelInterfaceLayer];
    retention.addFunction({ function: this.function, alias: this.alias, layers, keepVersions });
    return retention;
  }
}
