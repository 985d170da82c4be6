import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { Role } from 'aws-cdk-lib/aws-iam';
import {
  Alias,
  type CfnFunction,
  type FunctionOptions,
  type IVersion,
  Function as LambdaFunction,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { FunctionMetric } from '../artifact/function-metrics.js';
import { DRIFT_SHARE_VARIABLE, type ProfiledStatistic } from '../artifact/input-profile.js';
import type { SizePlan } from '../artifact/size-plan.js';
import type { Task } from '../artifact/task.js';
import { SynthesisError } from '../errors.js';
import { chooseArchitecture } from './architecture.js';
import { createLogGroup } from './encrypted-log-group.js';
import { checkEnvironmentAtSynth } from './environment-problems.js';
import { ARTIFACT_VARIABLE } from './function-variables.js';
import { GradualDeployment } from './gradual-deployment.js';
import { addIdleEnvironments } from './idle-cost.js';
import { type InferenceFunctionOptions, networkOptions } from './inference-function-options.js';
import { functionProblems } from './inference-function-problems.js';
import { createFunctionRole } from './inference-function-role.js';
import type { InferenceTarget, ResponseMode } from './inference-target.js';
import type { Model } from './model.js';
import { announceDelivery, deliveryProblems, modelDelivery } from './model-delivery.js';
import { ModelLayer } from './model-layer.js';
import { OnnxRuntimeLayer } from './onnx-runtime-layer.js';
import { predictFunctionAsset } from './prepared-asset.js';
import { throwProblems } from './problems.js';
import {
  type ProvisionedConcurrency,
  type ProvisionedConcurrencyScaling,
  scaleProvisionedConcurrency,
} from './provisioned-concurrency.js';
import { createCapture, type RequestCapture } from './request-capture.js';
import { ServedFunction } from './served-function.js';
import { functionMetric, inputBinMetric, type TelemetryOptions, telemetryVariables } from './telemetry.js';
import { VersionRetention } from './version-retention.js';

const DEFAULT_TIMEOUT_SECONDS = 29;

/** Properties of an `InferenceFunction`. */
export interface InferenceFunctionProps extends InferenceFunctionOptions {
  /** The model that it serves. */
  readonly model: Model;
  /**
   * onnxruntime, shared between functions of one architecture.
   * @default - a layer of its own
   */
  readonly runtimeLayer?: OnnxRuntimeLayer;
}

/**
 * One model behind a Lambda function, with a version per content and an alias `live` on the newest.
 *
 * @throws SynthesisError with every fault of the properties, or because the model does not fit
 */
export class InferenceFunction extends ServedFunction implements InferenceTarget {
  /** The function itself. */
  readonly function: LambdaFunction;
  /** `live`: what callers invoke. */
  readonly alias: Alias;
  /** What the function may do. */
  readonly role: Role;
  /** Where its logs go. */
  readonly logGroup: ILogGroup;
  /** Where requests are kept; undefined where none is. */
  readonly capture: RequestCapture | undefined;
  /** The layer with the model. */
  readonly modelLayer: ModelLayer;
  /** The layer with onnxruntime. */
  readonly runtimeLayer: OnnxRuntimeLayer;
  /** Environments that are started ahead of requests; undefined where there are none. */
  readonly provisionedConcurrency: ProvisionedConcurrency | undefined;
  /** What sets the number of the alias' environments; undefined where it is fixed or there are none. */
  readonly provisionedConcurrencyScaling: ProvisionedConcurrencyScaling | undefined;
  /** What shifts traffic to new versions; undefined without `deployment`. */
  readonly deployment: GradualDeployment | undefined;
  /** What deletes old versions, one for all functions of the stack; undefined without `keepVersions`. */
  readonly versionRetention: VersionRetention | undefined;
  /** Its routes have this name. */
  readonly modelName: string;
  /** The integer version that clients may ask for. */
  readonly modelVersion: number;
  /** The kind of the model's task. */
  readonly taskType: Task['type'];
  /** How long an invocation may take. */
  readonly timeout: Duration;
  /** Asked directly, it answers by itself. */
  readonly routing = undefined;
  /** An API may wait for it as briefly as it likes. */
  readonly minApiTimeoutMs = undefined;
  /** Whether the function's lines are metrics, so that there are more than those of AWS/Lambda. */
  readonly publishesMetrics: boolean;
  private responseMode: ResponseMode | undefined;
  /** How the model travels, or undefined where the app runs without bundling and its size is unknown. */
  readonly sizePlan: SizePlan | undefined;
  private readonly telemetry: TelemetryOptions;

  constructor(scope: Construct, id: string, props: InferenceFunctionProps) {
    super(scope, id);
    throwProblems(this.node.path, functionProblems(props));

    const { model } = props;
    const architecture = chooseArchitecture(this, props.architecture ?? props.runtimeLayer?.architecture);
    this.modelName = model.name;
    this.modelVersion = model.version;
    this.taskType = model.taskType;
    this.telemetry = props;
    this.publishesMetrics = props.publishMetrics !== false;
    this.timeout = props.timeout ?? Duration.seconds(DEFAULT_TIMEOUT_SECONDS);

    const code = predictFunctionAsset();
    this.runtimeLayer = props.runtimeLayer ?? new OnnxRuntimeLayer(this, 'OnnxRuntime', { architecture });
    this.modelLayer = new ModelLayer(this, 'Model', {
      model,
      architecture,
      beside: { runtimeBytes: this.runtimeLayer.bytes, functionBytes: code.bytes },
    });
    this.sizePlan = this.modelLayer.sizePlan;
    throwProblems(this.node.path, deliveryProblems(model.name, this.modelLayer, props));
    announceDelivery(this, this.sizePlan, { ...props, timeout: this.timeout });
    const delivery = modelDelivery(this.modelLayer, props);

    this.logGroup =
      props.logGroup ??
      createLogGroup(this, 'Logs', { retention: props.logRetention, encryptionKey: props.logEncryption });
    this.capture = createCapture(this, model.name, this.modelLayer, props.capture);
    const tracing = props.tracing ?? Tracing.DISABLED;
    this.role = createFunctionRole(this, 'Role', {
      modelName: model.name,
      logGroup: this.logGroup,
      tracing: tracing !== Tracing.DISABLED,
      vpc: props.vpc !== undefined,
      weights: this.modelLayer.weights,
      bucketKey: props.assetBucketKey,
      capture: this.capture,
    });
    props.environmentEncryption?.grantDecrypt(this.role);
    this.function = new LambdaFunction(this, 'Function', {
      description: `cdk-onnx: model ${model.name}`,
      runtime: Runtime.NODEJS_24_X,
      architecture,
      code: code.code,
      handler: 'index.handler',
      layers: [this.runtimeLayer.layer, this.modelLayer.layer],
      memorySize: delivery.memorySize,
      timeout: this.timeout,
      environment: {
        ...props.environment,
        ...telemetryVariables(props),
        ...delivery.environment,
        ...this.capture?.environment,
        ...(props.driftShare === undefined ? {} : { [DRIFT_SHARE_VARIABLE]: String(props.driftShare) }),
        [ARTIFACT_VARIABLE]: this.modelLayer.artifactPath,
        ORT_DISABLE_TELEMETRY: '1',
      },
      role: this.role,
      logGroup: this.logGroup,
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN },
      ...givenOptions(props),
      ...(delivery.ephemeralStorageSize === undefined ? {} : { ephemeralStorageSize: delivery.ephemeralStorageSize }),
    });
    checkEnvironmentAtSynth(this.function.node.defaultChild as CfnFunction);
    // CDK's own property would put X-Ray's wildcard into the policy that users' grants share.
    if (tracing !== Tracing.DISABLED) {
      const resource = this.function.node.defaultChild as CfnFunction;
      resource.tracingConfig = { mode: tracing };
    }
    // A layer's content, and that of weights in S3, is no property of the function, so on its own it would not publish a version.
    this.function.invalidateVersionBasedOn(`${this.runtimeLayer.digest} ${this.modelLayer.digest}`);
    // aws-cdk-lib's optional properties are typed without `undefined`, its classes with: a Version is an IVersion.
    const version = this.function.currentVersion as IVersion;
    this.alias = new Alias(this, 'Alias', { aliasName: 'live', version });
    this.provisionedConcurrency = props.provisionedConcurrency;
    this.provisionedConcurrencyScaling =
      props.provisionedConcurrency && scaleProvisionedConcurrency(this, this.alias, props.provisionedConcurrency);
    addIdleEnvironments(this, model.name, this.provisionedConcurrency, {
      architecture,
      memorySize: delivery.memorySize,
    });
    this.deployment = this.shiftTraffic(props);
    this.versionRetention = this.retainVersions(props.keepVersions);
  }

  private shiftTraffic({ deployment, logRetention, logEncryption, ...telemetry }: InferenceFunctionProps) {
    if (deployment === undefined) return undefined;
    return new GradualDeployment(this, 'Deployment', {
      deployment,
      function: this.function,
      alias: this.alias,
      timeout: this.timeout,
      modelName: this.modelName,
      telemetry,
      logRetention,
      logEncryption,
    });
  }

  private retainVersions(keepVersions: number | undefined): VersionRetention | undefined {
    if (keepVersions === undefined) return undefined;
    const retention = VersionRetention.of(this);
    const layers = [this.runtimeLayer, this.modelLayer];
    retention.addFunction({ function: this.function, alias: this.alias, layers, keepVersions });
    return retention;
  }

  /** Called by `InferenceApi`: it sends nobody anywhere else. */
  allowPages(): void {}

  /**
   * Which of its two handlers the function runs. Called by `InferenceApi`; a function that nobody asked answers with its result.
   *
   * @throws SynthesisError `RESPONSE_MODE_CHANGED`: its two callers would need one each
   */
  answerBy(mode: ResponseMode): void {
    if (this.responseMode !== undefined && this.responseMode !== mode) {
      throw new SynthesisError({
        code: 'RESPONSE_MODE_CHANGED',
        message: `${this.node.path} serves an API that streams answers and one that does not.`,
        advice: 'Give each API a function of its own, or the same streaming to both.',
      });
    }
    this.responseMode = mode;
    const resource = this.function.node.defaultChild as CfnFunction;
    if (mode === 'streamed') resource.handler = 'index.streamingHandler';
  }

  /** That whose answers callers get: its own. */
  get functions(): readonly [LambdaFunction] {
    return [this.function];
  }

  /**
   * A metric that the function writes, of all its versions: times as averages, counts as sums. The methods below say what each is.
   *
   * @throws SynthesisError `METRICS_TURNED_OFF`
   */
  metricOwn(metricName: FunctionMetric, options?: MetricOptions): Metric {
    return functionMetric(this, metricName, this.modelName, this.telemetry, options);
  }

  /** Requests for which Lambda started an environment, of the model's function in all its versions, as the metrics below: a sum. */
  metricColdStarts(options?: MetricOptions): Metric {
    return this.metricOwn('ColdStart', options);
  }

  /** Milliseconds from a request's arrival at the API to the handler's start, a cold start among them: an average. */
  metricQueueTime(options?: MetricOptions): Metric {
    return this.metricOwn('QueueTime', options);
  }

  /** Milliseconds from the handler's start to the model's inputs: an average. */
  metricDecodeTime(options?: MetricOptions): Metric {
    return this.metricOwn('DecodeTime', options);
  }

  /** Milliseconds in onnxruntime: an average. */
  metricInferenceTime(options?: MetricOptions): Metric {
    return this.metricOwn('InferenceTime', options);
  }

  /** Milliseconds from the model's outputs to the function's result: an average. */
  metricEncodeTime(options?: MetricOptions): Metric {
    return this.metricOwn('EncodeTime', options);
  }

  /** Answers with a status of 400 to 499; of one error alone with `dimensionsMap: { code: 'JSON_INVALID' }`: a sum. */
  metricClientErrors(options?: MetricOptions): Metric {
    return this.metricOwn('ClientErrors', options);
  }

  /** Answers with a status of 500 to 599; of one error alone with `dimensionsMap: { code: 'OUT_OF_MEMORY' }`: a sum. */
  metricServerErrors(options?: MetricOptions): Metric {
    return this.metricOwn('ServerErrors', options);
  }

  /** Milliseconds that an environment takes to load onnxruntime: an average. */
  metricRuntimeLoadTime(options?: MetricOptions): Metric {
    return this.metricOwn('RuntimeLoadTime', options);
  }

  /** Milliseconds that an environment takes to open the model: an average. */
  metricSessionCreationTime(options?: MetricOptions): Metric {
    return this.metricOwn('SessionCreationTime', options);
  }

  /** Milliseconds that an environment's first run takes, before any request: an average. */
  metricWarmUpTime(options?: MetricOptions): Metric {
    return this.metricOwn('WarmUpTime', options);
  }

  /**
   * How many inputs fell into a bin of the profile that the build recorded: a sum. What is counted, `modelLayer.inputProfile` says.
   *
   * @throws SynthesisError `METRICS_TURNED_OFF`
   */
  metricInputBin(bin: number, of: Pick<ProfiledStatistic, 'input' | 'statistic'>, options?: MetricOptions): Metric {
    return inputBinMetric(this, { bin, of }, this.modelName, this.telemetry, options);
  }

  /** Requests that were kept in S3: a sum. */
  metricCapturedRequests(options?: MetricOptions): Metric {
    return this.metricOwn('CapturedRequests', options);
  }

  /** Requests that should have been kept and were not: a sum. */
  metricCaptureFailures(options?: MetricOptions): Metric {
    return this.metricOwn('CaptureFailures', options);
  }
}

/** Options that CDK's function takes as they are. */
function givenOptions(props: InferenceFunctionOptions): FunctionOptions {
  const { reservedConcurrentExecutions, environmentEncryption } = props;
  return {
    ...(reservedConcurrentExecutions === undefined ? {} : { reservedConcurrentExecutions }),
    ...(environmentEncryption === undefined ? {} : { environmentEncryption }),
    ...networkOptions(props),
  };
}
