import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import {
  type Grant,
  type IGrantable,
  PolicyDocument,
  PolicyStatement,
  Role,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam';
import { Alias, type Architecture, type IVersion, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { type ILogGroup, LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Annotations, Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { MEMORY_MIB, planSize, type SizePlan } from '../artifact/size-plan.js';
import type { Task } from '../artifact/task.js';
import { chooseArchitecture } from './architecture.js';
import type { Model } from './model.js';
import { ModelLayer } from './model-layer.js';
import { OnnxRuntimeLayer } from './onnx-runtime-layer.js';
import { WRITE_LOGS } from './permissions.js';
import { predictFunctionAsset } from './prepared-asset.js';
import { checkSeconds, checkWholeNumber, type Problem, throwProblems } from './problems.js';
import { sizePlanProblems } from './size-plan-problems.js';

/** The memory size that has exactly one vCPU, in MiB. */
const ONE_VCPU_MIB = 1769;
const DEFAULT_TIMEOUT_SECONDS = 29;
const TIMEOUT_SECONDS = { min: 1, max: 900, reason: 'Lambda runs a function for 15 minutes at most' };
/** The models of the endpoint that a function answers for, as JSON: `[{ "name": "faces", "version": 1 }]`. */
export const MODEL_LIST_VARIABLE = 'CDK_ONNX_MODELS';
/** Variables that the function's own code depends on. */
const OWN_VARIABLES = ['CDK_ONNX_ARTIFACT', MODEL_LIST_VARIABLE, 'ORT_DISABLE_TELEMETRY'];
/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
const VARIABLE_NAME = /^[A-Za-z][A-Za-z0-9_]+$/;
const RESERVED_VARIABLE =
  /^(AWS_(REGION|DEFAULT_REGION|ACCESS_KEY.*|SECRET_ACCESS_KEY|SESSION_TOKEN|EXECUTION_ENV|LAMBDA_.*)|LAMBDA_.*|_.*)$/;

/** What a function can be given beside its model. */
export interface InferenceFunctionOptions {
  /**
   * The processor; the model and onnxruntime are built for it.
   * @default - the context `cdk-onnx:architecture`, else arm64, which costs a fifth less
   */
  readonly architecture?: Architecture;
  /**
   * Memory in MiB, 128 to 10,240. It decides the share of CPU too: onnxruntime uses one thread per 1,769 MiB.
   * @default 1769 - one vCPU
   */
  readonly memorySize?: number;
  /**
   * How long one request may take, with the cold start if there is one.
   * @default - 29 seconds, just under what an HTTP API waits
   */
  readonly timeout?: Duration;
  /**
   * Further environment variables.
   * @default - none but `CDK_ONNX_ARTIFACT`, `ORT_DISABLE_TELEMETRY`, and `CDK_ONNX_MODELS` on an API's first function
   */
  readonly environment?: Readonly<Record<string, string>>;
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
}

export interface InferenceFunctionProps extends InferenceFunctionOptions {
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
export class InferenceFunction extends Construct implements IGrantable {
  readonly function: LambdaFunction;
  /** `live`: what callers invoke. */
  readonly alias: Alias;
  readonly role: Role;
  readonly logGroup: ILogGroup;
  readonly modelLayer: ModelLayer;
  readonly runtimeLayer: OnnxRuntimeLayer;
  readonly modelName: string;
  readonly modelVersion: number;
  readonly taskType: Task['type'];
  readonly timeout: Duration;
  /** How the model travels, or undefined where the app runs without bundling and its size is unknown. */
  readonly sizePlan: SizePlan | undefined;

  constructor(scope: Construct, id: string, props: InferenceFunctionProps) {
    super(scope, id);
    throwProblems(this.node.path, functionProblems(props));

    const { model } = props;
    const architecture = chooseArchitecture(this, props.architecture ?? props.runtimeLayer?.architecture);
    this.modelName = model.name;
    this.modelVersion = model.version;
    this.taskType = model.taskType;
    this.timeout = props.timeout ?? Duration.seconds(DEFAULT_TIMEOUT_SECONDS);

    const code = predictFunctionAsset();
    this.runtimeLayer = props.runtimeLayer ?? new OnnxRuntimeLayer(this, 'OnnxRuntime', { architecture });
    this.modelLayer = new ModelLayer(this, 'Model', { model, architecture });
    const modelBytes = this.modelLayer.bytes;
    this.sizePlan =
      modelBytes === undefined
        ? undefined
        : planSize({ runtimeBytes: this.runtimeLayer.bytes, functionBytes: code.bytes, modelBytes });
    throwProblems(this.node.path, sizePlanProblems(model.name, this.sizePlan));
    if (this.sizePlan !== undefined) Annotations.of(this).addInfoV2('cdk-onnx:size-plan', this.sizePlan.reason);

    this.logGroup =
      props.logGroup ??
      new LogGroup(this, 'Logs', {
        retention: props.logRetention ?? RetentionDays.ONE_MONTH,
        removalPolicy: RemovalPolicy.DESTROY,
      });
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `Runs the model ${model.name}`,
      inlinePolicies: {
        WriteLogs: new PolicyDocument({
          statements: [new PolicyStatement({ actions: WRITE_LOGS, resources: [this.logGroup.logGroupArn] })],
        }),
      },
    });
    this.function = new LambdaFunction(this, 'Function', {
      description: `cdk-onnx: model ${model.name}`,
      runtime: Runtime.NODEJS_24_X,
      architecture,
      code: code.code,
      handler: 'index.handler',
      layers: [this.runtimeLayer.layer, this.modelLayer.layer],
      memorySize: props.memorySize ?? ONE_VCPU_MIB,
      timeout: this.timeout,
      environment: {
        ...props.environment,
        CDK_ONNX_ARTIFACT: this.modelLayer.artifactPath,
        ORT_DISABLE_TELEMETRY: '1',
      },
      role: this.role,
      logGroup: this.logGroup,
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN },
    });
    // A layer's content is no property of the function, so on its own it would not publish a version.
    this.function.invalidateVersionBasedOn(`${this.runtimeLayer.digest} ${this.modelLayer.digest}`);
    // aws-cdk-lib's optional properties are typed without `undefined`, its classes with: a Version is an IVersion.
    const version = this.function.currentVersion as IVersion;
    this.alias = new Alias(this, 'Alias', { aliasName: 'live', version });
  }

  /** The function's role, to grant it further permissions. */
  get grantPrincipal(): Role {
    return this.role;
  }

  /** Lets someone invoke the alias `live` directly, past the API. */
  grantInvoke(grantee: IGrantable): Grant {
    return this.alias.grantInvoke(grantee);
  }

  /** A metric of the alias `live` by its name in the namespace AWS/Lambda. */
  metric(metricName: string, options?: MetricOptions): Metric {
    return this.alias.metric(metricName, options);
  }

  /** How often the alias was invoked: a sum. */
  metricInvocations(options?: MetricOptions): Metric {
    return this.alias.metricInvocations(options);
  }

  /** How many invocations failed: a sum. */
  metricErrors(options?: MetricOptions): Metric {
    return this.alias.metricErrors(options);
  }

  /** How long invocations took, in milliseconds: an average. */
  metricDuration(options?: MetricOptions): Metric {
    return this.alias.metricDuration(options);
  }

  /** How many invocations were refused for lack of concurrency: a sum. */
  metricThrottles(options?: MetricOptions): Metric {
    return this.alias.metricThrottles(options);
  }
}

/** What is wrong with a function's properties, as far as it shows before the model is built. */
export function functionProblems(
  props: InferenceFunctionOptions & Pick<InferenceFunctionProps, 'runtimeLayer'>,
): Problem[] {
  return [
    ...checkWholeNumber('MEMORY_SIZE_INVALID', 'memorySize', props.memorySize, { ...MEMORY_MIB, unit: 'MiB' }),
    ...checkSeconds('TIMEOUT_INVALID', 'timeout', props.timeout, TIMEOUT_SECONDS),
    ...logProblems(props),
    ...architectureProblems(props),
    ...Object.keys(props.environment ?? {}).flatMap(variableProblems),
  ];
}

function logProblems({ logGroup, logRetention }: InferenceFunctionOptions): Problem[] {
  if (logGroup === undefined || logRetention === undefined) return [];
  return [
    {
      code: 'LOG_RETENTION_WITHOUT_EFFECT',
      message: 'logRetention is given together with logGroup.',
      advice: 'Set the retention on your log group and leave logRetention out.',
    },
  ];
}

function architectureProblems(props: Pick<InferenceFunctionProps, 'architecture' | 'runtimeLayer'>): Problem[] {
  const { architecture, runtimeLayer } = props;
  if (architecture === undefined || runtimeLayer === undefined) return [];
  if (architecture.name === runtimeLayer.architecture.name) return [];
  return [
    {
      code: 'RUNTIME_LAYER_ARCHITECTURE',
      message: `The function is for ${architecture.name}, its runtimeLayer for ${runtimeLayer.architecture.name}.`,
      advice: "Give both the same architecture, or leave the function's out.",
    },
  ];
}

function variableProblems(name: string): Problem[] {
  if (OWN_VARIABLES.includes(name)) {
    return [
      {
        code: 'ENVIRONMENT_VARIABLE_TAKEN',
        message: `environment sets ${name}, which the function itself depends on.`,
        advice: 'Leave it out.',
      },
    ];
  }
  if (VARIABLE_NAME.test(name) && !RESERVED_VARIABLE.test(name)) return [];
  return [
    {
      code: 'ENVIRONMENT_VARIABLE_NAME',
      message: `environment sets ${name}, which Lambda does not accept.`,
      advice:
        'Use at least two letters, digits or _, beginning with a letter, and none of the names that Lambda reserves.',
    },
  ];
}
