import { Template } from 'aws-cdk-lib/assertions';
import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { describe, expect, test } from 'vitest';
import { asynchronous, propertyOf, stackOf, variantsOf } from '../support/gpu-endpoints.js';
import { propertiesOf, statementsOf } from '../support/option-combinations.js';

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
