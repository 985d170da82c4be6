/** What a template says of SageMaker, created in moto from its own properties. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_AMI_VERSION, GPU_INSTANCES } from '../../lib/constructs/gpu-instance.js';
import { GpuEndpoint, Model } from '../../lib/constructs/index.js';
import { writeGpuArtifactFolder } from '../support/gpu-artifact.js';
import { callMoto, MOTO, type MotoCall } from '../support/moto.js';
import { requirePython } from '../support/python.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-moto-'));
const outdir = join(folder, 'cdk.out');
let model: Model;
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  model = Model.fromArtifact(writeGpuArtifactFolder(folder));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ACCOUNT = '123456789012';
type Resources = Readonly<Record<string, { readonly Type: string; readonly Properties: Record<string, unknown> }>>;

/** What the resources are once they are created: intrinsic functions in their properties replaced by what moto would give. */
class Deployment {
  constructor(private readonly resources: Resources) {}

  of(type: string): { readonly id: string; readonly properties: Record<string, unknown> }[] {
    return Object.entries(this.resources)
      .filter(([, { Type }]) => Type === type)
      .map(([id, { Properties }]) => ({ id, properties: this.resolve(Properties) as Record<string, unknown> }));
  }

  resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((element) => this.resolve(element));
    if (typeof value !== 'object' || value === null) return value;
    const { Ref, 'Fn::GetAtt': attribute, 'Fn::Join': joined } = value as Record<string, unknown>;
    if (typeof Ref === 'string') return this.reference(Ref);
    if (Array.isArray(attribute)) return this.attribute(String(attribute[0]), String(attribute[1]));
    if (Array.isArray(joined)) return (this.resolve(joined[1]) as string[]).join(String(joined[0]));
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, this.resolve(child)]));
  }

  private reference(name: string): string {
    const pseudo: Record<string, string> = { 'AWS::Partition': 'aws', 'AWS::URLSuffix': 'amazonaws.com' };
    return pseudo[name] ?? name.toLowerCase();
  }

  private attribute(id: string, attribute: string): string {
    if (attribute.endsWith('Name')) return id;
    if (this.resources[id]?.Type === 'AWS::IAM::Role') return `arn:aws:iam::${ACCOUNT}:role/${id}`;
    return `arn:aws:x:eu-west-1:${ACCOUNT}:${id}`;
  }
}

/** The calls that CloudFormation would make for the resources of an endpoint, in its order. */
function callsOf(stack: Stack): MotoCall[] {
  const deployment = new Deployment(Template.fromStack(stack).toJSON().Resources as Resources);
  const call = (service: MotoCall['service'], method: string, parameters: object): MotoCall => ({
    service,
    method,
    parameters,
  });
  const [target] = deployment.of('AWS::ApplicationAutoScaling::ScalableTarget');
  const { ServiceNamespace, ScalableDimension, ResourceId } = target?.properties ?? {};
  return [
    ...deployment.of('AWS::IAM::Role').flatMap(({ id, properties }) => [
      call('iam', 'create_role', {
        RoleName: id,
        Description: properties.Description,
        AssumeRolePolicyDocument: JSON.stringify(properties.AssumeRolePolicyDocument),
      }),
      ...(properties.Policies as { PolicyName: string; PolicyDocument: object }[]).map((policy) =>
        call('iam', 'put_role_policy', {
          RoleName: id,
          PolicyName: policy.PolicyName,
          PolicyDocument: JSON.stringify(policy.PolicyDocument),
        }),
      ),
    ]),
    ...deployment
      .of('AWS::SageMaker::Model')
      .map(({ id, properties }) => call('sagemaker', 'create_model', { ModelName: id, ...properties })),
    ...deployment
      .of('AWS::SageMaker::EndpointConfig')
      .map(({ id, properties }) =>
        call('sagemaker', 'create_endpoint_config', { EndpointConfigName: id, ...properties }),
      ),
    ...deployment.of('AWS::SageMaker::Endpoint').flatMap(({ properties }) => {
      const { EndpointName, EndpointConfigName } = properties;
      return [
        call('sagemaker', 'create_endpoint', { EndpointName, EndpointConfigName }),
        // What the next deployment asks for; moto has no such operation.
        call('sagemaker', 'describes', { operation: 'UpdateEndpoint', input: properties }),
      ];
    }),
    ...deployment
      .of('AWS::ApplicationAutoScaling::ScalableTarget')
      .map(({ properties }) => call('application-autoscaling', 'register_scalable_target', properties)),
    ...deployment
      .of('AWS::ApplicationAutoScaling::ScalingPolicy')
      .map(({ properties: { ScalingTargetId: _, ...properties } }) =>
        call('application-autoscaling', 'put_scaling_policy', {
          ServiceNamespace,
          ScalableDimension,
          ResourceId,
          ...properties,
        }),
      ),
    ...deployment
      .of('AWS::CloudWatch::Alarm')
      .map(({ id, properties }) => call('cloudwatch', 'put_metric_alarm', { AlarmName: id, ...properties })),
  ];
}

const stackOf = () => new Stack(new App({ outdir }), 'Vision', { env: { account: ACCOUNT, region: 'eu-west-1' } });
const describeEndpoint = (EndpointName: string): MotoCall[] => [
  { service: 'sagemaker', method: 'describe_endpoint', parameters: { EndpointName } },
  { service: 'sagemaker', method: 'list_models', parameters: {} },
  {
    service: 'application-autoscaling',
    method: 'describe_scaling_policies',
    parameters: { ServiceNamespace: 'sagemaker' },
  },
  { service: 'sagemaker', method: 'list_endpoint_configs', parameters: {} },
];

describe('in moto', () => {
  test('an endpoint that answers at once is created from its template', ({ skip }) => {
    const python = requirePython(MOTO, skip);
    const stack = stackOf();
    const { endpointName } = GpuEndpoint.realTime(stack, 'Gpu', {
      model,
      variants: [{ name: 'candidate', model, weight: 0.1, scaling: { maxInstances: 1 } }],
      dataCapture: { bucket: Bucket.fromBucketName(stack, 'Given', 'given') as IBucket, share: 0.1 },
      instanceType: 'ml.g4dn.xlarge',
    });
    const calls = callsOf(stack);
    const [endpoint, models, policies, configs] = callMoto(python, [...calls, ...describeEndpoint(endpointName)]).slice(
      calls.length,
    );
    expect(endpoint).toMatchObject({
      EndpointName: endpointName,
      EndpointStatus: 'InService',
      ProductionVariants: [
        { VariantName: 'primary', CurrentWeight: 1, CurrentInstanceCount: 1 },
        { VariantName: 'candidate', CurrentWeight: 0.1, CurrentInstanceCount: 1 },
      ],
    });
    expect(models?.Models).toHaveLength(2);
    expect(configs?.EndpointConfigs).toHaveLength(1);
    expect(policies?.ScalingPolicies).toMatchObject([
      { ResourceId: `endpoint/${endpointName}/variant/primary`, PolicyType: 'TargetTrackingScaling' },
    ]);
  }, 120_000);

  test('an endpoint with a queue is created from its template', ({ skip }) => {
    const python = requirePython(MOTO, skip);
    const stack = stackOf();
    const topic = (name: string) => Topic.fromTopicArn(stack, name, `arn:aws:sns:eu-west-1:${ACCOUNT}:${name}`);
    const { endpointName } = GpuEndpoint.asynchronous(stack, 'Gpu', {
      model,
      instanceType: 'ml.g4dn.xlarge',
      scaling: { maxInstances: 2 },
      successTopic: topic('done'),
      errorTopic: topic('failed'),
      maxConcurrentInvocationsPerInstance: 4,
    });
    const calls = callsOf(stack);
    const config = calls.find(({ method }) => method === 'create_endpoint_config')?.parameters as {
      EndpointConfigName: string;
    };
    const [endpoint, , policies, , described, alarms] = callMoto(python, [
      ...calls,
      ...describeEndpoint(endpointName),
      {
        service: 'sagemaker',
        method: 'describe_endpoint_config',
        parameters: { EndpointConfigName: config.EndpointConfigName },
      },
      { service: 'cloudwatch', method: 'describe_alarms', parameters: {} },
    ]).slice(calls.length);
    expect(endpoint).toMatchObject({ EndpointStatus: 'InService' });
    expect(described?.AsyncInferenceConfig).toMatchObject({
      ClientConfig: { MaxConcurrentInvocationsPerInstance: 4 },
      OutputConfig: {
        S3OutputPath: expect.stringMatching(/^s3:\/\/gpubucket.*\/results$/),
        S3FailurePath: expect.stringMatching(/^s3:\/\/gpubucket.*\/failures$/),
      },
    });
    const { ScalingPolicies = [] } = (policies ?? {}) as { ScalingPolicies?: readonly { PolicyType: string }[] };
    expect(ScalingPolicies.map(({ PolicyType }) => PolicyType).sort()).toEqual([
      'StepScaling',
      'TargetTrackingScaling',
    ]);
    expect(alarms?.MetricAlarms).toMatchObject([{ MetricName: 'HasBacklogWithoutCapacity', Period: 60 }]);
  }, 120_000);

  test('an endpoint with a shadow, in a VPC, is created from its template', ({ skip }) => {
    const python = requirePython(MOTO, skip);
    const stack = stackOf();
    const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', {
      vpcId: 'vpc-1',
      availabilityZones: ['eu-west-1a', 'eu-west-1b'],
      privateSubnetIds: ['subnet-1', 'subnet-2'],
    });
    const { endpointName } = GpuEndpoint.realTime(stack, 'Gpu', {
      model,
      vpc,
      instanceType: 'ml.g4dn.xlarge',
      securityGroups: [SecurityGroup.fromSecurityGroupId(stack, 'Group', 'sg-1')],
      scaling: { minInstances: 2, metric: 'invocations' },
      shadow: { model, share: 0.5, instances: 2 },
    });
    const calls = callsOf(stack);
    const [endpoint, models, policies] = callMoto(python, [...calls, ...describeEndpoint(endpointName)]).slice(
      calls.length,
    );
    expect(endpoint).toMatchObject({
      EndpointStatus: 'InService',
      ProductionVariants: [{ VariantName: 'primary', CurrentInstanceCount: 2 }],
    });
    const config = calls.find(({ method }) => method === 'create_endpoint_config')?.parameters;
    expect(config).toMatchObject({
      ShadowProductionVariants: [{ VariantName: 'shadow', InitialVariantWeight: 0.5, InitialInstanceCount: 2 }],
    });
    expect(models?.Models).toHaveLength(2);
    expect(calls.find(({ method }) => method === 'create_model')?.parameters).toMatchObject({
      VpcConfig: { Subnets: ['subnet-1', 'subnet-2'], SecurityGroupIds: ['sg-1'] },
    });
    expect(policies?.ScalingPolicies).toMatchObject([
      {
        TargetTrackingScalingPolicyConfiguration: {
          PredefinedMetricSpecification: { PredefinedMetricType: 'SageMakerVariantInvocationsPerInstance' },
        },
      },
    ]);
  }, 120_000);

  test('a call that AWS does not describe so fails', ({ skip }) => {
    const python = requirePython(MOTO, skip);
    const parameters = { ModelName: 'm', ExecutionRoleArn: 'arn:aws:iam::1:role/x', PrimaryContainers: {} };
    expect(() => callMoto(python, [{ service: 'sagemaker', method: 'create_model', parameters }])).toThrow(
      /Unknown parameter in input: "PrimaryContainers"/,
    );
  }, 120_000);

  test('so does one with a value that AWS does not name', ({ skip }) => {
    const python = requirePython(MOTO, skip);
    const input = {
      EndpointName: 'e',
      EndpointConfigName: 'c',
      ExcludeRetainedVariantProperties: [{ VariantPropertyType: 'VariantWeight' }],
    };
    const call: MotoCall = {
      service: 'sagemaker',
      method: 'describes',
      parameters: { operation: 'UpdateEndpoint', input },
    };
    expect(() => callMoto(python, [call])).toThrow(/VariantPropertyType is 'VariantWeight', which is none of/);
  }, 120_000);

  test('instances, hosts and metrics are those that AWS names', ({ skip }) => {
    const python = requirePython(MOTO, skip);
    const names = (service: MotoCall['service'], shape: string): MotoCall => ({
      service,
      method: 'enum',
      parameters: { shape },
    });
    const [instances, hosts, metrics] = callMoto(python, [
      names('sagemaker', 'ProductionVariantInstanceType'),
      names('sagemaker', 'ProductionVariantInferenceAmiVersion'),
      names('application-autoscaling', 'MetricType'),
    ]) as unknown as readonly (readonly string[])[];
    expect(GPU_INSTANCES.filter((name) => instances?.includes(name) !== true)).toEqual([]);
    expect(hosts).toContain(DEFAULT_AMI_VERSION);
    expect(metrics).toEqual(
      expect.arrayContaining([
        'SageMakerVariantInvocationsPerInstance',
        'SageMakerVariantConcurrentRequestsPerModelHighResolution',
      ]),
    );
  }, 120_000);
});
