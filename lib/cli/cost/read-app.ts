/** What a synthesized app serves its models by, from its templates. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Architecture, MANIFEST_FILE, type Manifest } from '../../artifact/manifest.js';
import type { ApiType } from '../../cost/prices.js';
import type { FunctionUse, ProvisionedUse } from '../../cost/serving.js';
import { ConfigurationError } from '../../errors.js';
import { type AssemblyStack, readCloudAssembly, record, type TemplateResource } from '../../local/cloud-assembly.js';
import { DEFAULT_REGION, stackEvaluator } from '../../local/intrinsics.js';
import type { Instances } from './subject.js';

/** A function that predicts, and what stands around it. */
export interface DeployedModel {
  readonly name: string;
  /** Digest of its artifact; undefined where it is not in the assembly. */
  readonly contentHash: string | undefined;
  readonly architecture: Architecture;
  readonly memorySize: number;
  readonly api: ApiType | undefined;
  readonly provisioned: ProvisionedUse | undefined;
  /** Without time of its own. */
  readonly router: Omit<FunctionUse, 'milliseconds'> | undefined;
  readonly gpu: Instances | undefined;
  readonly queue: Instances | undefined;
  readonly notes: readonly string[];
}

const ARTIFACT_VARIABLE = 'CDK_ONNX_ARTIFACT';
const PREDICT_VARIABLE = 'CDK_ONNX_PREDICT_FUNCTION';
const GPU_VARIABLE = 'CDK_ONNX_GPU_ENDPOINT';
const QUEUE_VARIABLE = 'CDK_ONNX_GPU_QUEUE_ENDPOINT';
/** Of Triton's container: what requests call the model. */
const MODEL_NAME_VARIABLE = 'SAGEMAKER_TRITON_DEFAULT_MODEL_NAME';
/** Lambda's. */
const DEFAULT_MEMORY_MB = 128;
/** Application Auto Scaling has no policy for a number that is fixed. */
const FIXED_UTILIZATION = 0.7;

/** @throws ConfigurationError `ASSEMBLY_NOT_FOUND`, `ASSEMBLY_UNREADABLE`, `COST_NO_MODELS` */
export function readDeployedModels(assembly: string): DeployedModel[] {
  const stacks = readCloudAssembly(assembly);
  const models = stacks.flatMap((stack) => new StackReader(stack).models());
  if (models.length > 0) return models;
  throw new ConfigurationError({
    code: 'COST_NO_MODELS',
    message: `No function of an InferenceFunction in ${stacks.map(({ name }) => name).join(', ') || assembly}.`,
    advice: 'Add an InferenceEndpoint to the app, or say by --memory and --duration-ms what to estimate.',
  });
}

interface Resource extends TemplateResource {
  readonly id: string;
}

class StackReader {
  private readonly resources: readonly Resource[];
  private readonly evaluate: (value: unknown) => unknown;

  constructor(private readonly stack: AssemblyStack) {
    this.resources = Object.entries(stack.template.Resources).map(([id, resource]) => ({ id, ...resource }));
    const evaluator = stackEvaluator(stack, DEFAULT_REGION);
    this.evaluate = (value) => {
      try {
        return evaluator.evaluate(value);
      } catch (error) {
        // What only a deployment knows is nothing that an estimate rests on.
        if (error instanceof ConfigurationError) return undefined;
        throw error;
      }
    };
  }

  models(): DeployedModel[] {
    return this.of('AWS::Lambda::Function').flatMap((predict) => {
      const artifact = this.text(this.variable(predict, ARTIFACT_VARIABLE));
      if (artifact === undefined) return [];
      const manifest = this.manifest(predict, artifact);
      const router = this.routerOf(predict);
      const provisioned = this.provisioned(predict);
      const name = manifest?.name ?? artifact.split('/').at(-1) ?? predict.id;
      return [
        {
          name,
          contentHash: manifest?.contentHash,
          ...this.machine(predict),
          api: this.apiOf(router ?? predict),
          provisioned: provisioned.use,
          router:
            router === undefined ? undefined : { ...this.machine(router), provisioned: this.provisioned(router).use },
          gpu: this.instances(router, GPU_VARIABLE, name),
          queue: this.instances(router, QUEUE_VARIABLE, name),
          notes: provisioned.notes,
        },
      ];
    });
  }

  private of(type: string): readonly Resource[] {
    return this.resources.filter(({ Type }) => Type === type);
  }

  private text(value: unknown): string | undefined {
    const evaluated = this.evaluate(value);
    return typeof evaluated === 'string' && evaluated !== '' ? evaluated : undefined;
  }

  private number(value: unknown): number | undefined {
    const evaluated = Number(this.evaluate(value) ?? Number.NaN);
    return Number.isFinite(evaluated) ? evaluated : undefined;
  }

  private variable({ Properties }: Resource, name: string): unknown {
    return record(record(Properties.Environment).Variables)[name];
  }

  private machine({ Properties }: Resource): { architecture: Architecture; memorySize: number } {
    const [architecture] = (this.evaluate(Properties.Architectures) ?? []) as unknown[];
    return {
      architecture: architecture === 'arm64' ? 'arm64' : 'x86_64',
      memorySize: this.number(Properties.MemorySize) ?? DEFAULT_MEMORY_MB,
    };
  }

  private manifest({ Properties }: Resource, artifact: string): Manifest | undefined {
    const layers = Array.isArray(Properties.Layers) ? Properties.Layers : [];
    for (const layer of layers) {
      const [, id = ''] = /:layer:([^:]+)/.exec(this.text(layer) ?? '') ?? [];
      const key = this.text(record(this.stack.template.Resources[id]?.Properties.Content).S3Key) ?? '';
      const folder = this.stack.assetFolders.get(key);
      const file = join(folder ?? '', artifact.replace(/^\/opt\//, ''), MANIFEST_FILE);
      if (folder !== undefined && existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Manifest;
    }
    return undefined;
  }

  /** The function that invokes another one's alias. */
  private routerOf(predict: Resource): Resource | undefined {
    return this.of('AWS::Lambda::Function').find((router) =>
      this.isFunction(this.variable(router, PREDICT_VARIABLE), predict),
    );
  }

  /** Whether a name or an ARN, of an alias perhaps, is that of a function. */
  private isFunction(name: unknown, { id }: Resource): boolean {
    const text = this.text(name) ?? '';
    return text === id || text.split(':').includes(id);
  }

  private aliasesOf(resource: Resource): readonly Resource[] {
    return this.of('AWS::Lambda::Alias').filter(({ Properties }) => this.isFunction(Properties.FunctionName, resource));
  }

  private apiOf(resource: Resource): ApiType | undefined {
    const names = [resource, ...this.aliasesOf(resource)].map(({ id }) => JSON.stringify(id));
    const leads = (type: string, property: string) =>
      this.of(type).some(({ Properties }) => {
        const text = JSON.stringify(Properties[property] ?? {});
        return names.some((name) => text.includes(name));
      });
    if (leads('AWS::ApiGatewayV2::Integration', 'IntegrationUri')) return 'http';
    return leads('AWS::ApiGateway::Method', 'Integration') ? 'rest' : undefined;
  }

  private provisioned(resource: Resource): { use: ProvisionedUse | undefined; notes: string[] } {
    const [target] = this.of('AWS::ApplicationAutoScaling::ScalableTarget').filter(
      ({ Properties }) => Properties.ServiceNamespace === 'lambda' && this.isFunction(Properties.ResourceId, resource),
    );
    if (target !== undefined) {
      const min = this.number(target.Properties.MinCapacity) ?? 1;
      const schedules = target.Properties.ScheduledActions;
      return {
        use: {
          min,
          max: this.number(target.Properties.MaxCapacity) ?? min,
          utilization: this.targetValue(target) ?? FIXED_UTILIZATION,
        },
        notes:
          Array.isArray(schedules) && schedules.length > 0
            ? ['schedules of provisioned concurrency do not count here: it has the bounds that it begins with']
            : [],
      };
    }
    for (const { Properties } of this.aliasesOf(resource)) {
      const count = this.number(record(Properties.ProvisionedConcurrencyConfig).ProvisionedConcurrentExecutions);
      if (count !== undefined) {
        return { use: { min: count, max: count, utilization: FIXED_UTILIZATION }, notes: [] };
      }
    }
    return { use: undefined, notes: [] };
  }

  private targetValue(target: Resource): number | undefined {
    const [policy] = this.of('AWS::ApplicationAutoScaling::ScalingPolicy').filter(
      ({ Properties }) => this.text(Properties.ScalingTargetId) === target.id,
    );
    return this.number(record(policy?.Properties.TargetTrackingScalingPolicyConfiguration).TargetValue);
  }

  /** Of the endpoint that the router's variable names; without a router, of one with the same model. */
  private instances(router: Resource | undefined, variable: string, modelName: string): Instances | undefined {
    const named = router === undefined ? undefined : this.text(this.variable(router, variable));
    const isQueue = variable === QUEUE_VARIABLE;
    return this.endpoints().find((endpoint) =>
      router === undefined ? endpoint.modelName === modelName && endpoint.isQueue === isQueue : endpoint.name === named,
    )?.instances;
  }

  private endpoints() {
    return this.of('AWS::SageMaker::Endpoint').flatMap(({ id, Properties }) => {
      const name = this.text(Properties.EndpointName) ?? `${id}.EndpointName`;
      const config = this.referred('AWS::SageMaker::EndpointConfig', Properties.EndpointConfigName)?.Properties;
      const [primary, ...others] = this.variants(config?.ProductionVariants, name);
      if (config === undefined || primary === undefined) return [];
      const always = [...others, ...this.variants(config.ShadowProductionVariants, name)];
      const { modelName, ...instances } = primary;
      const beside = always.map(({ instanceType, minInstances }) => ({ instanceType, instances: minInstances }));
      return [
        { name, modelName, isQueue: config.AsyncInferenceConfig !== undefined, instances: { ...instances, beside } },
      ];
    });
  }

  /** The resource that a `Ref` or an attribute leads to. */
  private referred(type: string, value: unknown): Resource | undefined {
    const [id] = (this.text(value) ?? '').split('.');
    return this.of(type).find((resource) => resource.id === id);
  }

  private variants(value: unknown, endpointName: string) {
    return (Array.isArray(value) ? value : []).flatMap((item) => {
      const variant = record(item);
      const instanceType = this.text(variant.InstanceType);
      if (instanceType === undefined) return [];
      const count = this.number(variant.InitialInstanceCount) ?? 1;
      const id = `endpoint/${endpointName}/variant/${this.text(variant.VariantName)}`;
      const target = this.of('AWS::ApplicationAutoScaling::ScalableTarget').find(
        ({ Properties }) => this.text(Properties.ResourceId) === id,
      )?.Properties;
      const model = this.referred('AWS::SageMaker::Model', variant.ModelName)?.Properties;
      const environment = record(record(model?.PrimaryContainer).Environment);
      return [
        {
          modelName: this.text(environment[MODEL_NAME_VARIABLE]),
          instanceType,
          minInstances: this.number(target?.MinCapacity) ?? count,
          maxInstances: this.number(target?.MaxCapacity) ?? count,
        },
      ];
    });
  }
}
