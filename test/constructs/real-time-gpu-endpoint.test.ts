import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3';
import { App, Duration, Stack, Stage } from 'aws-cdk-lib/core';
import { describe, expect, test } from 'vitest';
import { GpuEndpoint } from '../../lib/constructs/index.js';
import {
  ENV,
  faces,
  folder,
  modelOf,
  outdir,
  propertyOf,
  realTime,
  stackOf,
  variantsOf,
} from '../support/gpu-endpoints.js';
import { propertiesOf, statementsOf } from '../support/option-combinations.js';

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
      ExcludeRetainedVariantProperties: [{ VariantPropertyType: 'DesiredWeight' }],
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

  test('may have interfaces in subnets of another account, which shares its network', () => {
    const lookup =
      'vpc-provider:account=123456789012:filter.vpc-id=vpc-1:region=eu-west-1:returnAsymmetricSubnets=true';
    const subnets = [{ subnetId: 'subnet-1', availabilityZone: 'eu-west-1a', routeTableId: 'rtb-1' }];
    const shared = {
      vpcId: 'vpc-1',
      ownerAccountId: '999999999999',
      availabilityZones: [],
      subnetGroups: [{ name: 'Private', type: 'Private', subnets }],
    };
    const stack = new Stack(new App({ outdir, context: { [lookup]: shared } }), 'Vision', { env: ENV });
    const { template } = realTime({ vpc: Vpc.fromLookup(stack, 'Vpc', { vpcId: 'vpc-1' }) }, stack);
    const [created] = statementsOf(template).filter(({ Action }) => String(Action).includes('CreateNetworkInterface'));
    expect(JSON.stringify(created?.Resource)).toContain(':ec2:eu-west-1:999999999999:subnet/subnet-1');
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
