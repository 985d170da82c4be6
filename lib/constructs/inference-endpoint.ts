import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { CfnOutput } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { chooseArchitecture } from './architecture.js';
import { apiProblems, InferenceApi, type InferenceApiOptions, modelNameProblems } from './inference-api.js';
import { functionProblems, InferenceFunction, type InferenceFunctionOptions } from './inference-function.js';
import type { Model } from './model.js';
import { OnnxRuntimeLayer } from './onnx-runtime-layer.js';
import { throwProblems } from './problems.js';

export interface InferenceEndpointProps extends InferenceFunctionOptions, InferenceApiOptions {
  /** At least one. Each has a function of its own; the first one's also answers for the server: `/v2`, its health, and the list of models. */
  readonly models: readonly Model[];
}

/**
 * Models behind HTTPS: a function each, one layer of onnxruntime, one HTTP API.
 *
 * @example
 * new InferenceEndpoint(this, 'Vision', { models: [Model.fromDirectory('models/faces')] });
 *
 * @throws SynthesisError with every fault of the properties, or because a model does not fit
 */
export class InferenceEndpoint extends Construct {
  readonly api: InferenceApi;
  readonly runtimeLayer: OnnxRuntimeLayer;
  /** By model name. */
  readonly functions: ReadonlyMap<string, InferenceFunction>;
  readonly urlOutput: CfnOutput;

  private readonly functionsByModel = new Map<string, InferenceFunction>();
  private readonly functionsScope: Construct;
  private readonly functionOptions: InferenceFunctionOptions;

  constructor(scope: Construct, id: string, props: InferenceEndpointProps) {
    super(scope, id);
    const { models, auth, apiTimeout, cors, accessLogGroup, ...functionOptions } = props;
    throwProblems(this.node.path, [
      ...modelNameProblems(models.map((model) => model.name)),
      ...functionProblems(props),
      ...apiProblems(props),
    ]);
    this.functions = this.functionsByModel;
    this.functionOptions = functionOptions;
    this.functionsScope = new Construct(this, 'Models');
    const architecture = chooseArchitecture(this, props.architecture);
    this.runtimeLayer = new OnnxRuntimeLayer(this, 'OnnxRuntime', { architecture });
    for (const model of models) this.addFunction(model, functionOptions);
    this.api = new InferenceApi(this, 'Api', {
      functions: [...this.functionsByModel.values()],
      ...(auth === undefined ? {} : { auth }),
      ...(apiTimeout === undefined ? {} : { apiTimeout }),
      ...(cors === undefined ? {} : { cors }),
      ...(accessLogGroup === undefined ? {} : { accessLogGroup }),
    });
    this.urlOutput = new CfnOutput(this, 'Url', {
      value: this.url,
      description: `Inference endpoint for ${models.map((model) => model.name).join(', ')}`,
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
  addModel(model: Model, options: InferenceFunctionOptions = {}): InferenceFunction {
    throwProblems(this.node.path, [
      ...modelNameProblems([...this.functionsByModel.keys(), model.name]),
      ...functionProblems({ ...options, runtimeLayer: this.runtimeLayer }),
    ]);
    const inferenceFunction = this.addFunction(model, { ...this.functionOptions, ...options });
    this.api.addFunction(inferenceFunction);
    return inferenceFunction;
  }

  /** Lets someone call every route of the API: `execute-api:Invoke`. Of use only with `InferenceAuth.iam()`. */
  grantInvoke(grantee: IGrantable): Grant {
    return this.api.grantInvoke(grantee);
  }

  private addFunction(model: Model, options: InferenceFunctionOptions): InferenceFunction {
    const { architecture: _, ...others } = options;
    const inferenceFunction = new InferenceFunction(this.functionsScope, model.name, {
      ...others,
      model,
      runtimeLayer: this.runtimeLayer,
    });
    this.functionsByModel.set(model.name, inferenceFunction);
    return inferenceFunction;
  }
}
