import { Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Connections, type IConnectable, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import type { Grant, IGrantable, Role } from 'aws-cdk-lib/aws-iam';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import { CfnEndpoint, CfnEndpointConfig, type CfnEndpointConfigProps, CfnModel } from 'aws-cdk-lib/aws-sagemaker';
import { Names, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { NEWEST_TRITON } from '../artifact/triton.js';
import type { IdleResource } from '../cost/idle-note.js';
import { SynthesisError } from '../errors.js';
import { createLogGroup } from './encrypted-log-group.js';
import type { GpuEndpointOptions } from './gpu-endpoint-options.js';
import { archiveProblems, MODEL_NAME_VARIABLE, PRIMARY_VARIANT } from './gpu-endpoint-problems.js';
import { createGpuEndpointRole, type GpuEndpointRoleOptions } from './gpu-endpoint-role.js';
import { type GpuVariantScaling, type ScalingPlan, scaleVariant } from './gpu-endpoint-scaling.js';
import { type ServedVariant, variantProperty } from './gpu-endpoint-variants.js';
import { DEFAULT_GPU_INSTANCE } from './gpu-instance.js';
import { IdleCost } from './idle-cost.js';
import { throwProblems } from './problems.js';
import { type ArchiveObject, archiveObject } from './triton-archive.js';
import { tritonImage } from './triton-image.js';

const MAX_ENDPOINT_NAME = 63;

/** What the two kinds of endpoints differ in. */
export interface GpuEndpointPlan {
  readonly props: GpuEndpointOptions;
  readonly variants: readonly ServedVariant[];
  readonly shadow?: ServedVariant | undefined;
  readonly capture?: GpuEndpointRoleOptions['capture'];
  readonly queue?: GpuEndpointRoleOptions['queue'];
  readonly config: Pick<CfnEndpointConfigProps, 'asyncInferenceConfig' | 'dataCaptureConfig'>;
  /** Undefined for a variant whose number of instances never changes. */
  readonly scalingOf: (variant: ServedVariant, endpointName: string) => ScalingPlan | undefined;
}

/** Models on a GPU, behind Triton on SageMaker: what both kinds of endpoints have in common. */
export abstract class GpuEndpointBase extends Construct implements IGrantable, IConnectable {
  /** The endpoint itself. */
  readonly endpoint: CfnEndpoint;
  /** What it serves, and on what; a changed one is a new one. */
  readonly endpointConfig: CfnEndpointConfig;
  /** By variant. */
  readonly models: ReadonlyMap<string, CfnModel>;
  /** How variants grow and shrink, by variant; none for those whose number of instances is fixed. */
  readonly scaling: ReadonlyMap<string, GpuVariantScaling>;
  /** What SageMaker may do for the endpoint. */
  readonly role: Role;
  /** Where Triton's log goes. */
  readonly logGroup: LogGroup;
  /** In lower case, as policies want it. */
  readonly endpointName: string;
  /** Whom a caller may invoke. */
  readonly endpointArn: string;
  /** The name that answers give the model. */
  readonly modelName: string;
  /** The largest first dimension of a request, or 0 where the model takes no batches; undefined where the app runs without bundling. */
  readonly maxBatchSize: number | undefined;
  private readonly network: Connections | undefined;

  /** For the two kinds alone: `planOf` gives a `GpuEndpointPlan`, which may hold children of the construct that it is given. */
  protected constructor(scope: Construct, id: string, planOf: (endpoint: Construct) => object) {
    super(scope, id);
    const plan = planOf(this) as GpuEndpointPlan;
    const { props, variants, shadow } = plan;
    const { model, vpc, vpcSubnets, networkIsolation = true, tritonRelease = NEWEST_TRITON } = props;
    const stack = Stack.of(this);
    this.modelName = model.name;
    this.endpointName = Names.uniqueResourceName(this, { maxLength: MAX_ENDPOINT_NAME, separator: '-' }).toLowerCase();
    this.endpointArn = stack.formatArn({ service: 'sagemaker', resource: 'endpoint', resourceName: this.endpointName });

    const served = [...variants, ...(shadow === undefined ? [] : [shadow])];
    const archives = new Map(
      served.map((variant) => [variant.name, archiveObject(this, `Archive-${variant.name}`, variant.model)]),
    );
    throwProblems(
      this.node.path,
      [...archives.values()].flatMap(({ description }) => archiveProblems(description, tritonRelease)),
    );
    this.maxBatchSize = archives.get(PRIMARY_VARIANT)?.description?.maxBatchSize;

    this.logGroup = createLogGroup(this, 'Logs', {
      name: `/aws/sagemaker/Endpoints/${this.endpointName}`,
      retention: props.logRetention,
      encryptionKey: props.logEncryption,
    });
    const securityGroups =
      vpc === undefined
        ? []
        : (props.securityGroups ?? [
            new SecurityGroup(this, 'SecurityGroup', {
              vpc,
              description: `The instances of ${this.node.path}`,
              allowAllOutbound: props.allowAllOutbound ?? true,
            }),
          ]);
    this.network = vpc === undefined ? undefined : new Connections({ securityGroups: [...securityGroups] });
    const subnetIds = vpc?.selectSubnets(vpcSubnets).subnetIds ?? [];
    const securityGroupIds = securityGroups.map(({ securityGroupId }) => securityGroupId);
    const image = tritonImage(this, props, tritonRelease);
    this.role = createGpuEndpointRole(this, 'Role', {
      modelName: model.name,
      logGroup: this.logGroup,
      repositoryArn: image.repositoryArn,
      objectArns: [...new Set([...archives.values()].map(({ objectArn }) => objectArn))],
      bucketKey: props.assetBucketKey,
      network: vpc === undefined ? undefined : { subnetIds, ownerAccount: vpc.env.account, securityGroupIds },
      capture: plan.capture,
      queue: plan.queue,
    });

    const modelOf = (variant: ServedVariant, archive: ArchiveObject) =>
      new CfnModel(this, `Model-${variant.name}`, {
        executionRoleArn: this.role.roleArn,
        enableNetworkIsolation: networkIsolation,
        primaryContainer: {
          image: image.uri,
          modelDataUrl: archive.url,
          environment: {
            SAGEMAKER_TRITON_LOG_VERBOSE: 'false',
            ...props.environment,
            [MODEL_NAME_VARIABLE]: variant.model.name,
          },
        },
        ...(vpc === undefined ? {} : { vpcConfig: { subnets: subnetIds, securityGroupIds } }),
      });
    const models = new Map<string, CfnModel>();
    const production = (variant: ServedVariant) => {
      const archive = archives.get(variant.name) as ArchiveObject;
      const resource = modelOf(variant, archive);
      models.set(variant.name, resource);
      return variantProperty(variant, resource, { ...props, tensorRt: archive.description?.tensorRt ?? false });
    };
    this.endpointConfig = new CfnEndpointConfig(this, 'Config', {
      productionVariants: variants.map(production),
      ...(shadow === undefined ? {} : { shadowProductionVariants: [production(shadow)] }),
      ...plan.config,
    });
    this.models = models;
    this.endpoint = new CfnEndpoint(this, 'Endpoint', {
      endpointName: this.endpointName,
      endpointConfigName: this.endpointConfig.attrEndpointConfigName,
      // Without it every deployment would take back what was scaled out; weights are the template's.
      retainAllVariantProperties: true,
      excludeRetainedVariantProperties: [{ variantPropertyType: 'DesiredWeight' }],
    });
    // Triton writes from its first second on; a group that it found missing would be one without retention.
    this.endpoint.node.addDependency(this.logGroup);

    const { endpoint, endpointName } = this;
    this.scaling = new Map(
      variants.flatMap((variant) => {
        const { name: variantName } = variant;
        const scalingPlan = plan.scalingOf(variant, endpointName);
        if (scalingPlan === undefined) return [];
        const scaled = { endpoint, endpointName, variantName };
        return [[variantName, scaleVariant(this, `Scaling-${variantName}`, scaled, scalingPlan)]];
      }),
    );
    const idle = ({ instanceType = DEFAULT_GPU_INSTANCE }: ServedVariant, count: number): IdleResource => ({
      kind: 'instances',
      instanceType,
      count,
    });
    IdleCost.add(
      this,
      ...variants.map((variant) => idle(variant, plan.scalingOf(variant, endpointName)?.min ?? variant.instances)),
      ...(shadow === undefined ? [] : [idle(shadow, shadow.instances)]),
    );
  }

  /** The endpoint's role, to grant it further permissions. */
  get grantPrincipal(): Role {
    return this.role;
  }

  /**
   * The endpoint's security groups.
   *
   * @throws SynthesisError `VPC_MISSING`
   */
  get connections(): Connections {
    if (this.network !== undefined) return this.network;
    throw new SynthesisError({
      code: 'VPC_MISSING',
      message: `${this.node.path} is in no VPC, so it has no connections.`,
      advice: 'Give the endpoint a vpc.',
    });
  }

  /** Lets someone send requests to the endpoint, and nothing else. */
  abstract grantInvoke(grantee: IGrantable): Grant;

  /** A metric of a variant in the namespace AWS/SageMaker; of another variant than `primary` with `dimensionsMap: { VariantName: … }`. */
  metric(metricName: string, options: MetricOptions = {}): Metric {
    return this.variantMetric('AWS/SageMaker', metricName, options);
  }

  /** How many requests it got: a sum. */
  metricInvocations(options?: MetricOptions): Metric {
    return this.metric('Invocations', { statistic: Stats.SUM, ...options });
  }

  /** How many requests each instance got: a sum. */
  metricInvocationsPerInstance(options?: MetricOptions): Metric {
    return this.metric('InvocationsPerInstance', { statistic: Stats.SUM, ...options });
  }

  /** How many requests were refused as wrong: a sum. */
  metricClientErrors(options?: MetricOptions): Metric {
    return this.metric('Invocation4XXErrors', { statistic: Stats.SUM, ...options });
  }

  /** How many requests failed: a sum. */
  metricServerErrors(options?: MetricOptions): Metric {
    return this.metric('Invocation5XXErrors', { statistic: Stats.SUM, ...options });
  }

  /** How many answers of Triton were none, or no 2xx: a sum. */
  metricModelErrors(options?: MetricOptions): Metric {
    return this.metric('InvocationModelErrors', { statistic: Stats.SUM, ...options });
  }

  /** Microseconds that Triton took: an average. */
  metricModelLatency(options?: MetricOptions): Metric {
    return this.metric('ModelLatency', options);
  }

  /** Microseconds that SageMaker took beside Triton: an average. */
  metricOverheadLatency(options?: MetricOptions): Metric {
    return this.metric('OverheadLatency', options);
  }

  /** How busy the GPUs are, in per cent of one GPU, so that 4 of them have up to 400: an average. */
  metricGpuUtilization(options: MetricOptions = {}): Metric {
    return this.variantMetric('/aws/sagemaker/Endpoints', 'GPUUtilization', options);
  }

  /** How full the memory of the GPUs is, in per cent of one GPU's: an average. */
  metricGpuMemoryUtilization(options: MetricOptions = {}): Metric {
    return this.variantMetric('/aws/sagemaker/Endpoints', 'GPUMemoryUtilization', options);
  }

  /**
   * Minutes that instances ran, of all instances together: a sample count, because each writes one value a minute.
   * https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-troubleshooting.html
   */
  metricInstanceMinutes(options: MetricOptions = {}): Metric {
    const statistic = Stats.SAMPLE_COUNT;
    return this.variantMetric('/aws/sagemaker/Endpoints', 'CPUUtilization', { statistic, ...options });
  }

  private variantMetric(namespace: string, metricName: string, options: MetricOptions): Metric {
    return new Metric({
      statistic: Stats.AVERAGE,
      ...options,
      namespace,
      metricName,
      dimensionsMap: { EndpointName: this.endpointName, VariantName: PRIMARY_VARIANT, ...options.dimensionsMap },
    }).attachTo(this);
  }
}
