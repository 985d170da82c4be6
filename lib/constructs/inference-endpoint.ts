import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { CfnOutput } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { SynthesisError } from '../errors.js';
import { chooseArchitecture } from './architecture.js';
import { IdleCost } from './idle-cost.js';
import { InferenceApi } from './inference-api.js';
import { type InferenceApiOptions, splitApiOptions } from './inference-api-options.js';
import { apiProblems, modelNameProblems } from './inference-api-problems.js';
import { InferenceFunction } from './inference-function.js';
import { type InferenceFunctionOptions, inheritOptions } from './inference-function-options.js';
import { functionProblems } from './inference-function-problems.js';
import { addGpu, behindRouter, gpuProblems } from './inference-gpu.js';
import type { InferenceGpuOptions } from './inference-gpu-options.js';
import type { InferenceRouter } from './inference-router.js';
import type { InferenceTarget } from './inference-target.js';
import type { Model } from './model.js';
import { OnnxRuntimeLayer } from './onnx-runtime-layer.js';
import { throwProblems } from './problems.js';

/** Properties of an `InferenceEndpoint`. */
export type InferenceEndpointProps = InferenceEndpointOptions & InferenceApiOptions;

/** Properties of an `InferenceEndpoint` that its API has no part in; all its functions share them. */
export interface InferenceEndpointOptions extends InferenceFunctionOptions {
  /** At least one. Each has a function of its own; the first one's also answers for the server: `/v2`, its health, and the list of models. */
  readonly models: readonly Model[];
  /**
   * A GPU for each model, and a router that turns to it when Lambda is throttled, slow, broken or too small. Its costs are those of the
   * instances, whether they are needed or not, unless there is a queue alone.
   * @default - none: the API invokes the functions that predict, and there is no router
   */
  readonly gpu?: InferenceGpuOptions;
}

/** Properties of one more model. */
export interface InferenceModelOptions extends InferenceFunctionOptions {
  /**
   * As for the endpoint; `false` for none.
   * @default - what the endpoint has; options beside each other replace the endpoint's one by one
   */
  readonly gpu?: InferenceGpuOptions | false;
}

/**
 * Models behind HTTPS: a function each, one layer of onnxruntime, one HTTP API or REST API.
 *
 * @example
 * new InferenceEndpoint(this, 'Vision', { models: [Model.fromDirectory('models/faces')] });
 *
 * @throws SynthesisError with every fault of the properties, or because a model does not fit
 */
export class InferenceEndpoint extends Construct {
  /** The HTTP API in front of the functions. */
  readonly api: InferenceApi;
  /** The layer of onnxruntime that all functions have. */
  readonly runtimeLayer: OnnxRuntimeLayer;
  /** By model name. */
  readonly functions: ReadonlyMap<string, InferenceFunction>;
  /** What stands in front of functions, by model name; none without `gpu`. */
  readonly routers: ReadonlyMap<string, InferenceRouter>;
  /** The output of the stack that says where the endpoint is. */
  readonly urlOutput: CfnOutput;

  private readonly functionsByModel = new Map<string, InferenceFunction>();
  private readonly routersByModel = new Map<string, InferenceRouter>();
  private readonly functionsScope: Construct;
  private gpuScope: Construct | undefined;
  private readonly functionOptions: InferenceFunctionOptions;
  private readonly gpu: InferenceGpuOptions | undefined;
  private readonly apiOptions: InferenceApiOptions;

  constructor(scope: Construct, id: string, props: InferenceEndpointProps) {
    super(scope, id);
    const { apiOptions, otherOptions } = splitApiOptions<InferenceEndpointOptions>(props);
    const { models, gpu, ...functionOptions } = otherOptions;
    throwProblems(this.node.path, [
      ...modelNameProblems(models.map((model) => model.name)),
      ...functionProblems(props),
      ...apiProblems(props),
      ...(gpu === undefined ? [] : gpuProblems(this, gpu, { functionOptions, apiOptions }, models)),
    ]);
    IdleCost.gatherAt(this);
    this.functions = this.functionsByModel;
    this.routers = this.routersByModel;
    this.gpu = gpu;
    this.apiOptions = apiOptions;
    this.functionOptions = functionOptions;
    this.functionsScope = new Construct(this, 'Models');
    const architecture = chooseArchitecture(this, props.architecture);
    this.runtimeLayer = new OnnxRuntimeLayer(this, 'OnnxRuntime', { architecture });
    const targets = models.map((model) => this.addFunction(model, functionOptions, gpu));
    this.api = new InferenceApi(this, 'Api', {
      functions: targets,
      ...apiOptions,
    });
    this.urlOutput = new CfnOutput(this, 'Url', {
      value: this.url,
      description: describeModels(models.map((model) => model.name)),
    });
  }

  /** The public URL, without a slash at its end. */
  get url(): string {
    return this.api.url;
  }

  /**
   * Adds a model with options of its own; what they leave out is as for the endpoint's other models.
   *
   * @throws SynthesisError as the constructor
   */
  addModel(model: Model, options: InferenceModelOptions = {}): InferenceFunction {
    const { gpu: ofModel, ...functionOptions } = options;
    const inherited = inheritOptions(this.functionOptions, functionOptions);
    const gpu = ofModel === false ? undefined : inheritGpu(this.gpu, ofModel);
    const around = { functionOptions: inherited, apiOptions: this.apiOptions };
    throwProblems(this.node.path, [
      ...modelNameProblems([...this.functionsByModel.keys(), model.name]),
      ...functionProblems({ ...inherited, runtimeLayer: this.runtimeLayer }),
      ...(gpu === undefined ? [] : gpuProblems(this, gpu, around, [model])),
    ]);
    this.api.addFunction(this.addFunction(model, inherited, gpu));
    return this.functionOf(model.name);
  }

  /** Lets someone call every route of the API: `execute-api:Invoke`. Of use only with `InferenceAuth.iam()`. */
  grantInvoke(grantee: IGrantable): Grant {
    return this.api.grantInvoke(grantee);
  }

  /** A metric of a model's function by its name in the namespace AWS/Lambda. */
  metric(modelName: string, metricName: string, options?: MetricOptions): Metric {
    return this.functionOf(modelName).metric(metricName, options);
  }

  /** How often a model's function was invoked: a sum. */
  metricInvocations(modelName: string, options?: MetricOptions): Metric {
    return this.functionOf(modelName).metricInvocations(options);
  }

  /** How many invocations of a model's function failed: a sum. */
  metricErrors(modelName: string, options?: MetricOptions): Metric {
    return this.functionOf(modelName).metricErrors(options);
  }

  /** How long invocations of a model's function took, in milliseconds: an average. */
  metricDuration(modelName: string, options?: MetricOptions): Metric {
    return this.functionOf(modelName).metricDuration(options);
  }

  /** How many invocations of a model's function were refused for lack of concurrency: a sum. */
  metricThrottles(modelName: string, options?: MetricOptions): Metric {
    return this.functionOf(modelName).metricThrottles(options);
  }

  /** How many invocations of a model's function ran at once: a maximum. */
  metricConcurrentExecutions(modelName: string, options?: MetricOptions): Metric {
    return this.functionOf(modelName).metricConcurrentExecutions(options);
  }

  /** How many invocations of a model's function found no provisioned concurrency left: a sum. */
  metricProvisionedConcurrencySpillover(modelName: string, options?: MetricOptions): Metric {
    return this.functionOf(modelName).metricProvisionedConcurrencySpillover(options);
  }

  /** Which share of a model's provisioned concurrency was in use, 0 to 1: a maximum. */
  metricProvisionedConcurrencyUtilization(modelName: string, options?: MetricOptions): Metric {
    return this.functionOf(modelName).metricProvisionedConcurrencyUtilization(options);
  }

  /** How many requests came: a sample count. */
  metricCount(options?: MetricOptions): Metric {
    return this.api.metricCount(options);
  }

  /** Answers of 400 to 499: a sum. */
  metricClientError(options?: MetricOptions): Metric {
    return this.api.metricClientError(options);
  }

  /** Answers of 500 to 599: a sum. */
  metricServerError(options?: MetricOptions): Metric {
    return this.api.metricServerError(options);
  }

  /** Milliseconds from a request's arrival to its answer: an average. */
  metricLatency(options?: MetricOptions): Metric {
    return this.api.metricLatency(options);
  }

  private functionOf(modelName: string): InferenceFunction {
    const inferenceFunction = this.functionsByModel.get(modelName);
    if (inferenceFunction !== undefined) return inferenceFunction;
    throw new SynthesisError({
      code: 'MODEL_UNKNOWN',
      message: `${this.node.path} has no model '${modelName}'.`,
      advice: `It has ${[...this.functionsByModel.keys()].join(', ')}.`,
    });
  }

  /** What the model's routes lead to. */
  private addFunction(
    model: Model,
    options: InferenceFunctionOptions,
    gpu: InferenceGpuOptions | undefined,
  ): InferenceTarget {
    const { architecture: _, ...others } = gpu === undefined ? options : behindRouter(options, gpu);
    const inferenceFunction = new InferenceFunction(this.functionsScope, model.name, {
      ...others,
      model,
      runtimeLayer: this.runtimeLayer,
    });
    this.functionsByModel.set(model.name, inferenceFunction);
    if (gpu === undefined) return inferenceFunction;
    this.gpuScope ??= new Construct(this, 'Gpu');
    const around = { functionOptions: options, apiOptions: this.apiOptions };
    const router = addGpu(this.gpuScope, model, inferenceFunction, gpu, around);
    this.routersByModel.set(model.name, router);
    return router;
  }
}

function inheritGpu(
  ofEndpoint: InferenceGpuOptions | undefined,
  ofModel: InferenceGpuOptions | undefined,
): InferenceGpuOptions | undefined {
  return ofModel === undefined ? ofEndpoint : { ...ofEndpoint, ...ofModel };
}

/** CloudFormation takes 1,024 bytes. */
function describeModels(names: readonly string[]): string {
  const description = `Inference endpoint for ${names.join(', ')}`;
  return description.length <= 1024 ? description : `Inference endpoint for ${names.length} models`;
}
