import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { type IRepository, Repository } from 'aws-cdk-lib/aws-ecr';
import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { App, Duration, Stack, Stage } from 'aws-cdk-lib/core';
import { FactName, RegionInfo } from 'aws-cdk-lib/region-info';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TRITON_RELEASES, type TritonArchive, type TritonRelease } from '../../lib/artifact/triton.js';
import { GPU_INSTANCES } from '../../lib/constructs/gpu-instance.js';
import {
  type AsynchronousGpuEndpointProps,
  GpuEndpoint,
  Model,
  type RealTimeGpuEndpointProps,
} from '../../lib/constructs/index.js';
import { TRITON_ACCOUNTS } from '../../lib/constructs/triton-image.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';
import { writeGpuArtifactFolder } from '../support/gpu-artifact.js';
import { propertiesOf, statementsOf } from '../support/option-combinations.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-gpu-'));
const outdir = join(folder, 'cdk.out');
let faces: Model;
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  faces = modelOf();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function modelOf(description: Partial<TritonArchive> = {}): Model {
  return Model.fromArtifact(writeGpuArtifactFolder(folder, description));
}
const ENV = { account: '123456789012', region: 'eu-west-1' };
const stackOf = (env: { account?: string; region?: string } = ENV) => new Stack(new App({ outdir }), 'Vision', { env });
/** The template is made when it is asked for, once: a stack cannot change behind it. */
const synthesized = <Endpoint>(stack: Stack, endpoint: Endpoint) => {
  let made: Template | undefined;
  return {
    stack,
    endpoint,
    get template() {
      made ??= Template.fromStack(stack);
      return made;
    },
  };
};
const realTime = (props: Partial<RealTimeGpuEndpointProps> = {}, stack = stackOf()) => {
  const endpoint = GpuEndpoint.realTime(stack, 'Gpu', { model: faces, ...props });
  return synthesized(stack, endpoint);
};
const asynchronous = (props: Partial<AsynchronousGpuEndpointProps> = {}, stack = stackOf()) => {
  const endpoint = GpuEndpoint.asynchronous(stack, 'Gpu', { model: faces, ...props });
  return synthesized(stack, endpoint);
};
const refusalOf = (make: () => unknown) => {
  try {
    make();
  } catch (error) {
    return error as { readonly code: string; readonly message: string };
  }
  throw new Error('it was accepted');
};
const propertyOf = (template: Template, type: string) => propertiesOf(template, type)[0] ?? {};
const variantsOf = (template: Template) =>
  (propertyOf(template, 'AWS::SageMaker::EndpointConfig').ProductionVariants ?? []) as Record<string, unknown>[];

describe('an endpoint that answers at once', () => {
  test('runs Triton with the archive of the model, isolated from every network', () => {
    const { template, endpoint } = realTime();
    template.hasResourceProperties('AWS::SageMaker::Model', {
      EnableNetworkIsolation: true,
      PrimaryContainer: {
        Image: {
          'Fn::Join': [
            '',
            ['763104351884.dkr.ecr.eu-west-1.', { Ref: 'AWS::URLSuffix' }, '/sagemaker-tritonserver:25.09-py3'],
          ],
        },
        ModelDataUrl: Match.anyValue(),
        Environment: { SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: 'faces', SAGEMAKER_TRITON_LOG_VERBOSE: 'false' },
      },
    });
    expect(variantsOf(template)).toEqual([
      {
        VariantName: 'primary',
        ModelName: { 'Fn::GetAtt': [expect.stringContaining('Model'), 'ModelName'] },
        InstanceType: 'ml.g5.xlarge',
        InitialInstanceCount: 1,
        InitialVariantWeight: 1,
        InferenceAmiVersion: 'al2023-ami-sagemaker-inference-gpu-4-1',
        ContainerStartupHealthCheckTimeoutInSeconds: 600,
        RoutingConfig: { RoutingStrategy: 'LEAST_OUTSTANDING_REQUESTS' },
      },
    ]);
    template.hasResourceProperties('AWS::SageMaker::Endpoint', {
      EndpointName: endpoint.endpointName,
      RetainAllVariantProperties: true,
      ExcludeRetainedVariantProperties: [
        { VariantPropertyType: 'VariantWeight' },
        { VariantPropertyType: 'DataCaptureConfig' },
      ],
    });
    expect(endpoint.endpointName).toMatch(/^[a-z0-9](-*[a-z0-9]){0,62}$/);
    expect([endpoint.modelName, endpoint.maxBatchSize]).toEqual(['faces', 32]);
  });

  test('has the archive as one object whose key ends as SageMaker asks', () => {
    const { stack, template } = realTime();
    const { files } = JSON.parse(readFileSync(join(outdir, `${stack.stackName}.assets.json`), 'utf8')) as {
      files: Record<
        string,
        { source: { path: string; packaging: string }; destinations: Record<string, { objectKey: string }> }
      >;
    };
    const [asset] = Object.values(files).filter(({ source }) => source.path.endsWith('model.tar.gz'));
    const [destination] = Object.values(asset?.destinations ?? {});
    expect(asset?.source.packaging).toBe('file');
    expect(existsSync(join(outdir, String(asset?.source.path)))).toBe(true);
    expect(destination?.objectKey).toMatch(/^[0-9a-f]{64}\.tar\.gz$/);
    const container = propertyOf(template, 'AWS::SageMaker::Model').PrimaryContainer as { ModelDataUrl: unknown };
    expect(JSON.stringify(container.ModelDataUrl)).toContain(`/${destination?.objectKey}`);
  });

  test('finds its archive from a stack in a stage', () => {
    const app = new App({ outdir: join(folder, 'staged.out') });
    const stack = new Stack(new Stage(app, 'Beta'), 'Vision', { env: ENV });
    GpuEndpoint.realTime(stack, 'Gpu', { model: faces });
    app.synth();
    const stage = join(folder, 'staged.out', 'assembly-Beta');
    const assets = readdirSync(stage).find((name) => name.endsWith('.assets.json')) ?? '';
    const { files } = JSON.parse(readFileSync(join(stage, assets), 'utf8'));
    for (const { source } of Object.values(files) as { source: { path: string } }[]) {
      expect(existsSync(join(stage, source.path)), source.path).toBe(true);
    }
  });

  test('may do what SageMaker does for it, on what it is about', () => {
    const { template, endpoint } = realTime();
    const logGroup = { 'Fn::GetAtt': [expect.stringMatching(/^GpuLogs/), 'Arn'] };
    const partition = { Ref: 'AWS::Partition' };
    expect(statementsOf(template)).toEqual([
      {
        Action: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
        Effect: 'Allow',
        Resource: logGroup,
      },
      {
        Action: 'cloudwatch:PutMetricData',
        Effect: 'Allow',
        Resource: '*',
        Condition: { StringEquals: { 'cloudwatch:namespace': ['/aws/sagemaker/Endpoints', 'AWS/SageMaker'] } },
      },
      { Action: 'ecr:GetAuthorizationToken', Effect: 'Allow', Resource: '*' },
      {
        Action: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
        Effect: 'Allow',
        Resource: {
          'Fn::Join': ['', ['arn:', partition, ':ecr:eu-west-1:763104351884:repository/sagemaker-tritonserver']],
        },
      },
      {
        Action: 's3:GetObject',
        Effect: 'Allow',
        Resource: {
          'Fn::Join': [
            '',
            [
              'arn:',
              partition,
              expect.stringMatching(/^:s3:::cdk-hnb659fds-assets-123456789012-eu-west-1\/[0-9a-f]{64}\.tar\.gz$/),
            ],
          ],
        },
      },
    ]);
    template.hasResourceProperties('AWS::IAM::Role', {
      AssumeRolePolicyDocument: { Statement: [{ Principal: { Service: 'sagemaker.amazonaws.com' } }] },
    });
    template.hasResourceProperties('AWS::Logs::LogGroup', {
      LogGroupName: `/aws/sagemaker/Endpoints/${endpoint.endpointName}`,
      RetentionInDays: 30,
    });
  });

  test('is invoked by whom it is granted to, and by nobody else', () => {
    const { stack, endpoint } = realTime();
    endpoint.grantInvoke(new Role(stack, 'Caller', { assumedBy: new AccountPrincipal('123456789012') }));
    const statements = statementsOf(Template.fromStack(stack)).filter(({ Action }) =>
      String(Action).includes('Invoke'),
    );
    expect(statements).toEqual([
      {
        Action: 'sagemaker:InvokeEndpoint',
        Effect: 'Allow',
        Resource: {
          'Fn::Join': [
            '',
            ['arn:', { Ref: 'AWS::Partition' }, `:sagemaker:eu-west-1:123456789012:endpoint/${endpoint.endpointName}`],
          ],
        },
      },
    ]);
  });

  test('grows with the requests at work, or with those of a minute, or not at all', () => {
    const { template, endpoint } = realTime();
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
      ServiceNamespace: 'sagemaker',
      ScalableDimension: 'sagemaker:variant:DesiredInstanceCount',
      ResourceId: `endpoint/${endpoint.endpointName}/variant/primary`,
      MinCapacity: 1,
      MaxCapacity: 2,
    });
    const [target] = Object.values(template.findResources('AWS::ApplicationAutoScaling::ScalableTarget'));
    expect(target?.DependsOn).toEqual([expect.stringMatching(/^GpuEndpoint/)]);
    const trackingOf = (of: Template) =>
      propertiesOf(of, 'AWS::ApplicationAutoScaling::ScalingPolicy').map(
        (policy) => policy.TargetTrackingScalingPolicyConfiguration,
      );
    expect(trackingOf(template)).toEqual([
      {
        TargetValue: 4,
        PredefinedMetricSpecification: {
          PredefinedMetricType: 'SageMakerVariantConcurrentRequestsPerModelHighResolution',
        },
        ScaleInCooldown: 600,
        ScaleOutCooldown: 300,
      },
    ]);
    const byMinute = realTime({
      scaling: {
        minInstances: 2,
        maxInstances: 8,
        metric: 'invocations',
        target: 900,
        scaleInCooldown: Duration.minutes(1),
        scaleOutCooldown: Duration.seconds(0),
      },
    });
    expect(trackingOf(byMinute.template)).toEqual([
      {
        TargetValue: 900,
        PredefinedMetricSpecification: { PredefinedMetricType: 'SageMakerVariantInvocationsPerInstance' },
        ScaleInCooldown: 60,
        ScaleOutCooldown: 0,
      },
    ]);
    expect(variantsOf(byMinute.template)[0]).toMatchObject({ InitialInstanceCount: 2 });
    const fixed = realTime({ scaling: { maxInstances: 1 } });
    expect(trackingOf(fixed.template)).toEqual([]);
    expect([...fixed.endpoint.scaling]).toEqual([]);
  });

  test('shares its requests between variants by their weights', () => {
    const { template, endpoint } = realTime({
      weight: 3,
      variants: [
        { name: 'candidate', model: modelOf({ maxBatchSize: 8 }), instanceType: 'ml.g6.xlarge' },
        { name: 'off', model: faces, weight: 0, scaling: { maxInstances: 1 } },
      ],
    });
    expect(variantsOf(template)).toMatchObject([
      { VariantName: 'primary', InitialVariantWeight: 3, InstanceType: 'ml.g5.xlarge' },
      { VariantName: 'candidate', InitialVariantWeight: 1, InstanceType: 'ml.g6.xlarge' },
      { VariantName: 'off', InitialVariantWeight: 0 },
    ]);
    template.resourceCountIs('AWS::SageMaker::Model', 3);
    expect([...endpoint.models.keys()]).toEqual(['primary', 'candidate', 'off']);
    expect([...endpoint.scaling.keys()]).toEqual(['primary', 'candidate']);
  });

  test('copies a share of its requests to a shadow', () => {
    const { template } = realTime({ weight: 2, shadow: { model: faces, share: 0.25, instances: 2 } });
    const config = propertyOf(template, 'AWS::SageMaker::EndpointConfig');
    expect(config.ProductionVariants).toMatchObject([{ VariantName: 'primary', InitialVariantWeight: 2 }]);
    expect(config.ShadowProductionVariants).toMatchObject([
      { VariantName: 'shadow', InitialVariantWeight: 0.5, InitialInstanceCount: 2 },
    ]);
    template.resourceCountIs('AWS::ApplicationAutoScaling::ScalableTarget', 1);
  });

  test('captures what it is sent and answers, where it is told to', () => {
    const stack = stackOf();
    const bucket = new Bucket(stack, 'Captured') as IBucket;
    const encryption = new Key(stack, 'Key');
    const { template } = realTime({ dataCapture: { bucket, share: 0.001, encryption } }, stack);
    const keyArn = { 'Fn::GetAtt': [expect.stringMatching(/^Key/), 'Arn'] };
    expect(propertyOf(template, 'AWS::SageMaker::EndpointConfig').DataCaptureConfig).toEqual({
      EnableCapture: true,
      InitialSamplingPercentage: 1,
      DestinationS3Uri: { 'Fn::Join': ['', ['s3://', { Ref: expect.stringMatching(/^Captured/) }, '/captured']] },
      CaptureOptions: [{ CaptureMode: 'Input' }, { CaptureMode: 'Output' }],
      CaptureContentTypeHeader: { JsonContentTypes: ['application/json'] },
      KmsKeyId: keyArn,
    });
    expect(statementsOf(template).slice(-2)).toEqual([
      {
        Action: 's3:PutObject',
        Effect: 'Allow',
        Resource: {
          'Fn::Join': ['', [{ 'Fn::GetAtt': [expect.stringMatching(/^Captured/), 'Arn'] }, '/captured/*']],
        },
      },
      {
        Action: 'kms:GenerateDataKey',
        Effect: 'Allow',
        Resource: keyArn,
        Condition: {
          StringEquals: { 'kms:ViaService': { 'Fn::Join': ['', ['s3.eu-west-1.', { Ref: 'AWS::URLSuffix' }]] } },
        },
      },
    ]);
  });

  test('gives TensorRT the time that it takes', () => {
    const { template } = realTime({ model: modelOf({ tensorRt: true }) });
    expect(variantsOf(template)[0]).toMatchObject({ ContainerStartupHealthCheckTimeoutInSeconds: 1800 });
  });

  test('has metrics of its variants', () => {
    const { stack, endpoint } = realTime();
    const dimensions = { EndpointName: endpoint.endpointName, VariantName: 'primary' };
    const described = [
      endpoint.metricInvocations(),
      endpoint.metricInvocationsPerInstance(),
      endpoint.metricClientErrors(),
      endpoint.metricServerErrors(),
      endpoint.metricModelErrors(),
      endpoint.metricModelLatency({ statistic: 'p99' }),
      endpoint.metricOverheadLatency(),
      endpoint.metricGpuUtilization(),
      endpoint.metricGpuMemoryUtilization({ dimensionsMap: { VariantName: 'candidate' } }),
    ].map((metric) => [metric.namespace, metric.metricName, metric.statistic, stack.resolve(metric.dimensions)]);
    expect(described).toEqual([
      ['AWS/SageMaker', 'Invocations', 'Sum', dimensions],
      ['AWS/SageMaker', 'InvocationsPerInstance', 'Sum', dimensions],
      ['AWS/SageMaker', 'Invocation4XXErrors', 'Sum', dimensions],
      ['AWS/SageMaker', 'Invocation5XXErrors', 'Sum', dimensions],
      ['AWS/SageMaker', 'InvocationModelErrors', 'Sum', dimensions],
      ['AWS/SageMaker', 'ModelLatency', 'p99', dimensions],
      ['AWS/SageMaker', 'OverheadLatency', 'Average', dimensions],
      ['/aws/sagemaker/Endpoints', 'GPUUtilization', 'Average', dimensions],
      ['/aws/sagemaker/Endpoints', 'GPUMemoryUtilization', 'Average', { ...dimensions, VariantName: 'candidate' }],
    ]);
  });
});

describe('an endpoint with a queue', () => {
  test('reads requests and writes results in a bucket of its own, which forgets them', () => {
    const { template, endpoint } = asynchronous();
    const bucket = { Ref: expect.stringMatching(/^GpuBucket/) };
    const path = (prefix: string) => ({ 'Fn::Join': ['', ['s3://', bucket, `/${prefix}`]] });
    expect(propertyOf(template, 'AWS::SageMaker::EndpointConfig').AsyncInferenceConfig).toEqual({
      OutputConfig: { S3OutputPath: path('results'), S3FailurePath: path('failures') },
    });
    template.hasResourceProperties('AWS::S3::Bucket', {
      LifecycleConfiguration: {
        Rules: [{ ExpirationInDays: 1, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }, Status: 'Enabled' }],
      },
      PublicAccessBlockConfiguration: { BlockPublicAcls: true, RestrictPublicBuckets: true },
    });
    template.hasResource('AWS::S3::Bucket', { DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
    expect([endpoint.requestPrefix, endpoint.resultPrefix, endpoint.failurePrefix]).toEqual([
      'requests/',
      'results/',
      'failures/',
    ]);
    const objects = (prefix: string) => ({
      'Fn::Join': ['', [{ 'Fn::GetAtt': [expect.stringMatching(/^GpuBucket/), 'Arn'] }, `/${prefix}*`]],
    });
    expect(statementsOf(template).slice(5)).toEqual([
      { Action: 's3:GetObject', Effect: 'Allow', Resource: objects('requests/') },
      {
        Action: ['s3:AbortMultipartUpload', 's3:PutObject'],
        Effect: 'Allow',
        Resource: [objects('results/'), objects('failures/')],
      },
    ]);
  });

  test('has no instance while nothing waits, and gets the first one when something does', () => {
    const { template, endpoint } = asynchronous({ scaling: { maxInstances: 3, backlogPerInstance: 10 } });
    const { endpointName } = endpoint;
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MinCapacity: 0, MaxCapacity: 3 });
    const policies = propertiesOf(template, 'AWS::ApplicationAutoScaling::ScalingPolicy');
    const [tracking] = policies.filter(({ PolicyType }) => PolicyType === 'TargetTrackingScaling');
    expect(tracking?.TargetTrackingScalingPolicyConfiguration).toMatchObject({
      TargetValue: 10,
      CustomizedMetricSpecification: {
        Namespace: 'AWS/SageMaker',
        MetricName: 'ApproximateBacklogSizePerInstance',
        Dimensions: [{ Name: 'EndpointName', Value: endpointName }],
        Statistic: 'Average',
      },
    });
    const [step] = policies.filter(({ PolicyType }) => PolicyType === 'StepScaling');
    expect(step?.StepScalingPolicyConfiguration).toEqual({
      AdjustmentType: 'ChangeInCapacity',
      MetricAggregationType: 'Average',
      Cooldown: 300,
      StepAdjustments: [{ MetricIntervalLowerBound: 0, ScalingAdjustment: 1 }],
    });
    expect(propertyOf(template, 'AWS::CloudWatch::Alarm')).toMatchObject({
      Namespace: 'AWS/SageMaker',
      MetricName: 'HasBacklogWithoutCapacity',
      Dimensions: [{ Name: 'EndpointName', Value: endpointName }],
      Threshold: 1,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      EvaluationPeriods: 2,
      Period: 60,
      TreatMissingData: 'missing',
      AlarmActions: [{ Ref: expect.stringMatching(/^GpuWakeUpStep/) }],
    });
    const awake = asynchronous({ scaling: { minInstances: 1, maxInstances: 2 } });
    awake.template.resourceCountIs('AWS::CloudWatch::Alarm', 0);
    expect(awake.endpoint.wakeUp).toBeUndefined();
  });

  test('tells topics, and encrypts results, with what its role may do for it', () => {
    const stack = stackOf();
    const encryption = new Key(stack, 'Key');
    const successTopic = new Topic(stack, 'Success', { masterKey: new Key(stack, 'TopicKey') });
    const errorTopic = new Topic(stack, 'Error');
    const props = { encryption, successTopic, errorTopic, maxConcurrentInvocationsPerInstance: 4 };
    const { template } = asynchronous(props, stack);
    const keyArn = (name: string) => ({ 'Fn::GetAtt': [expect.stringMatching(new RegExp(`^${name}`)), 'Arn'] });
    const topic = (name: string) => ({ Ref: expect.stringMatching(new RegExp(`^${name}`)) });
    expect(propertyOf(template, 'AWS::SageMaker::EndpointConfig').AsyncInferenceConfig).toMatchObject({
      ClientConfig: { MaxConcurrentInvocationsPerInstance: 4 },
      OutputConfig: {
        KmsKeyId: keyArn('Key'),
        NotificationConfig: { SuccessTopic: topic('Success'), ErrorTopic: topic('Error') },
      },
    });
    const via = (service: string) => ({
      StringEquals: {
        'kms:ViaService': { 'Fn::Join': ['', [`${service}.eu-west-1.`, { Ref: 'AWS::URLSuffix' }]] },
      },
    });
    const keyActions = ['kms:Decrypt', 'kms:GenerateDataKey'];
    expect(statementsOf(template).slice(7)).toEqual([
      { Action: keyActions, Effect: 'Allow', Resource: keyArn('Key'), Condition: via('s3') },
      { Action: 'sns:Publish', Effect: 'Allow', Resource: [topic('Success'), topic('Error')] },
      { Action: keyActions, Effect: 'Allow', Resource: keyArn('TopicKey'), Condition: via('sns') },
    ]);
  });

  test('lets callers queue, put what they name, and read what becomes of it', () => {
    const given = stackOf();
    const { stack, endpoint } = asynchronous({ bucket: Bucket.fromBucketName(given, 'Jobs', 'jobs') }, given);
    endpoint.grantInvoke(new Role(stack, 'Caller', { assumedBy: new AccountPrincipal('123456789012') }));
    const [policy] = propertiesOf(Template.fromStack(stack), 'AWS::IAM::Policy') as {
      PolicyDocument: { Statement: object[] };
    }[];
    const objects = (prefix: string) => ({
      'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, `:s3:::jobs/${prefix}*`]],
    });
    expect(policy?.PolicyDocument.Statement).toMatchObject([
      { Action: 'sagemaker:InvokeEndpointAsync', Resource: expect.anything() },
      { Action: 's3:PutObject', Resource: objects('requests/') },
      { Action: 's3:GetObject', Resource: [objects('results/'), objects('failures/')] },
    ]);
  });

  test('lets callers use the key of its bucket', () => {
    const stack = stackOf();
    const { endpoint } = asynchronous({ encryption: new Key(stack, 'Key') }, stack);
    endpoint.grantInvoke(new Role(stack, 'Caller', { assumedBy: new AccountPrincipal('123456789012') }));
    const statements = statementsOf(Template.fromStack(stack));
    expect(statements.slice(-1)).toEqual([
      {
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Effect: 'Allow',
        Resource: { 'Fn::GetAtt': [expect.stringMatching(/^Key/), 'Arn'] },
      },
    ]);
  });

  test('starts with as many instances as it always has', () => {
    const { template, endpoint } = asynchronous({ scaling: { minInstances: 3, maxInstances: 3 } });
    expect(variantsOf(template)).toMatchObject([{ InitialInstanceCount: 3 }]);
    expect([...endpoint.scaling]).toEqual([]);
  });

  test('has metrics of its queue', () => {
    const { endpoint } = asynchronous();
    const metrics = [
      endpoint.metricBacklogSize(),
      endpoint.metricBacklogSizePerInstance(),
      endpoint.metricHasBacklogWithoutCapacity(),
      endpoint.metricTimeInBacklog(),
      endpoint.metricExpiredRequests(),
      endpoint.metricFailures(),
    ];
    expect(metrics.map(({ metricName, statistic }) => [metricName, statistic])).toEqual([
      ['ApproximateBacklogSize', 'Average'],
      ['ApproximateBacklogSizePerInstance', 'Average'],
      ['HasBacklogWithoutCapacity', 'Average'],
      ['TimeInBacklog', 'Average'],
      ['ExpiredRequests', 'Sum'],
      ['InvocationFailures', 'Sum'],
    ]);
    for (const { dimensions } of metrics) expect(dimensions).toEqual({ EndpointName: endpoint.endpointName });
  });
});

describe('images', () => {
  test('lie in the accounts that the CDK knows too', () => {
    for (const accounts of Object.values(TRITON_ACCOUNTS)) {
      for (const [region, account] of Object.entries(accounts)) {
        const known = RegionInfo.get(region).dlcRepositoryAccount;
        if (known !== undefined) expect([region, account]).toEqual([region, known]);
      }
    }
    expect(FactName.DLC_REPOSITORY_ACCOUNT).toBe('dlcRepositoryAccount');
    expect(Object.keys(TRITON_ACCOUNTS).sort()).toEqual(Object.keys(TRITON_RELEASES).sort());
  });

  test('are found when it is deployed, in a stack for any region', () => {
    const { template } = realTime({}, stackOf({}));
    const [container] = propertiesOf(template, 'AWS::SageMaker::Model').map(({ PrimaryContainer }) => PrimaryContainer);
    expect(JSON.stringify(container)).toContain(
      '{"Fn::FindInMap":["TritonAccounts2509",{"Ref":"AWS::Region"},"account"]}',
    );
    template.hasMapping('TritonAccounts2509', {
      'eu-west-1': { account: '763104351884' },
      'af-south-1': { account: '626614931356' },
    });
  });

  test('of the user’s own are pulled from their repository and no other', () => {
    const image = '111122223333.dkr.ecr.eu-west-1.amazonaws.com/ml/triton@sha256:0123';
    const { template } = realTime({ image, tritonRelease: '25.04' });
    expect(propertyOf(template, 'AWS::SageMaker::Model').PrimaryContainer).toMatchObject({ Image: image });
    expect(statementsOf(template)).toContainEqual(
      expect.objectContaining({
        Action: expect.arrayContaining(['ecr:BatchGetImage']),
        Resource: {
          'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':ecr:eu-west-1:111122223333:repository/ml/triton']],
        },
      }),
    );
  });
});

test('an image that the deployment builds is pulled from the repository that is named', () => {
  const stack = stackOf();
  const imageRepository = new Repository(stack, 'Images') as IRepository;
  const image = imageRepository.repositoryUriForTag('25.09');
  const { template } = realTime({ image, imageRepository }, stack);
  expect(statementsOf(template)[3]).toMatchObject({
    Resource: { 'Fn::GetAtt': [expect.stringMatching(/^Images/), 'Arn'] },
  });
  expect(propertyOf(template, 'AWS::SageMaker::Model').PrimaryContainer).toMatchObject({
    Image: { 'Fn::Join': ['', expect.arrayContaining([':25.09'])] },
  });
  expect(refusalOf(() => realTime({ image })).code).toBe('TRITON_IMAGE_REPOSITORY');
  expect(refusalOf(() => realTime({ imageRepository })).code).toBe('TRITON_IMAGE_INVALID');
});

describe('refused is', () => {
  const bucket = () => Bucket.fromBucketName(stackOf(), 'Given', 'given');
  test.each<[string, string, Partial<RealTimeGpuEndpointProps>]>([
    ['GPU_INSTANCE_TYPE', 'an instance without a GPU', { instanceType: 'ml.m5.xlarge' }],
    ['GPU_INSTANCE_TYPE', 'a size that there is not', { instanceType: 'ml.g5.3xlarge' }],
    ['GPU_INSTANCE_TYPE', 'a name of EC2', { instanceType: 'g5.xlarge' }],
    ['GPU_INSTANCE_TYPE', 'a GPU that is too old', { instanceType: 'ml.p3.2xlarge' }],
    ['TRITON_RELEASE_UNKNOWN', 'another release', { tritonRelease: '23.01' as TritonRelease }],
    ['TRITON_IMAGE_INVALID', 'an image that is not in ECR', { image: 'nvcr.io/nvidia/tritonserver:25.09-py3' }],
    [
      'AMI_VERSION_INVALID',
      'a host without a GPU’s driver',
      { inferenceAmiVersion: 'al2-ami-sagemaker-inference-neuron-2' },
    ],
    ['STARTUP_TIMEOUT_INVALID', 'two hours to start', { startupTimeout: Duration.hours(2) }],
    ['ENVIRONMENT_VARIABLE_TAKEN', 'another model', { environment: { SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: 'x' } }],
    ['ENVIRONMENT_VARIABLE_NAME', 'a variable with a hyphen', { environment: { 'a-b': 'x' } }],
    ['GPU_INSTANCES_INVALID', 'no instance', { scaling: { minInstances: 0 } }],
    ['GPU_INSTANCES_INVALID', 'more at least than at most', { scaling: { minInstances: 3, maxInstances: 2 } }],
    ['SCALING_TARGET_INVALID', 'a target of 0', { scaling: { target: 0 } }],
    ['SCALING_METRIC_UNKNOWN', 'another metric', { scaling: { metric: 'cpu' as 'concurrency' } }],
    ['COOLDOWN_INVALID', 'two days of rest', { scaling: { scaleInCooldown: Duration.days(2) } }],
    [
      'WEIGHT_INVALID',
      'a negative weight',
      { weight: -1, variants: [{ name: 'b', model: undefined as unknown as Model }] },
    ],
    ['WEIGHT_INVALID', 'no weight at all', { weight: 0 }],
    ['SHARE_INVALID', 'a shadow of nothing', { shadow: { model: undefined as unknown as Model, share: 0 } }],
    ['VPC_MISSING', 'subnets of nothing', { allowAllOutbound: false }],
  ])('%s: %s', (code, _, props) => {
    expect(refusalOf(() => realTime(props))).toMatchObject({ name: 'SynthesisError', code });
  });

  test.each<[string, string, Partial<AsynchronousGpuEndpointProps>]>([
    ['EXPIRY_INVALID', 'an hour', { expiry: Duration.hours(1) }],
    ['EXPIRY_INVALID', 'parts of days', { expiry: Duration.hours(36) }],
    ['EXPIRY_WITHOUT_EFFECT', 'of a bucket of the user', { expiry: Duration.days(2), bucket: bucket() }],
    ['CONCURRENCY_INVALID', 'none at once', { maxConcurrentInvocationsPerInstance: 0 }],
    ['GPU_INSTANCES_INVALID', 'half an instance', { scaling: { maxInstances: 0.5 } }],
    ['GPU_INSTANCES_INVALID', 'more at least than at most', { scaling: { minInstances: 2, maxInstances: 1 } }],
    ['SCALING_TARGET_INVALID', 'no backlog', { scaling: { backlogPerInstance: -1 } }],
  ])('with a queue, %s: %s', (code, _, props) => {
    expect(refusalOf(() => asynchronous(props))).toMatchObject({ name: 'SynthesisError', code });
  });

  test('several variants beside a shadow, names that are taken or none, and prefixes, all at once', () => {
    const variants = ['primary', 'b', 'b', 'a_b'].map((name) => ({ name, model: faces }));
    const dataCapture = { bucket: bucket(), share: 2, prefix: '/x' };
    const { code, message } = refusalOf(() => realTime({ variants, shadow: { model: faces }, dataCapture }));
    expect(code).toBe('SEVERAL_PROBLEMS');
    expect(message).toMatch(/^Vision\/Gpu: 6 problems\n/);
    for (const part of [
      "VARIANT_NAME: Two variants are called 'primary'.",
      "VARIANT_NAME: Two variants are called 'b'.",
      "VARIANT_NAME: A variant is called 'a_b'.",
      'SHADOW_BESIDE_VARIANTS',
      'SHARE_INVALID: dataCapture.share is 2.',
      "PREFIX_INVALID: dataCapture.prefix is '/x'.",
    ])
      expect(message).toContain(part);
  });

  test('a region without an image', () => {
    const china = () => realTime({}, stackOf({ account: '123456789012', region: 'cn-north-1' }));
    expect(refusalOf(china).code).toBe('TRITON_REGION');
    realTime({ tritonRelease: '25.04' }, stackOf({ account: '123456789012', region: 'cn-north-1' }));
  });

  test('a model that the release cannot load, and one without a variant for a GPU', () => {
    const newer = modelOf({ opsets: { '': 22, 'ai.onnx.ml': 6 }, irVersion: 11 });
    const { code, message } = refusalOf(() => realTime({ model: newer, tritonRelease: '25.04' }));
    expect(code).toBe('GPU_OPSET');
    expect(message).toBe(
      "Vision/Gpu: Triton 25.04, whose onnxruntime is 1.20.1, cannot load 'faces': its opset is 22, and the newest there is 21; its opset of ai.onnx.ml is 6, and the newest there is 5; its IR version is 11, and the newest there is 10.",
    );
    realTime({ model: modelOf({ opsets: { '': 22 } }) });
    expect(refusalOf(() => realTime({ model: Model.fromArtifact(writeArtifactFolder(folder)) })).code).toBe(
      'GPU_VARIANT_MISSING',
    );
  });
});

test('instances are named once each, as SageMaker names them', () => {
  expect(new Set(GPU_INSTANCES).size).toBe(GPU_INSTANCES.length);
  for (const name of GPU_INSTANCES) expect(name).toMatch(/^ml\.[gp]\d[a-z]*\.\d*xlarge$/);
});
