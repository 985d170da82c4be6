import type { Template } from 'aws-cdk-lib/assertions';
import { type IRepository, Repository } from 'aws-cdk-lib/aws-ecr';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3';
import { Duration, Token } from 'aws-cdk-lib/core';
import { FactName, RegionInfo } from 'aws-cdk-lib/region-info';
import { describe, expect, test } from 'vitest';
import { TRITON_RELEASES, type TritonRelease } from '../../lib/artifact/triton.js';
import { GPU_INSTANCES } from '../../lib/constructs/gpu-instance.js';
import { type AsynchronousGpuEndpointProps, Model, type RealTimeGpuEndpointProps } from '../../lib/constructs/index.js';
import { TRITON_ACCOUNTS } from '../../lib/constructs/triton-image.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';
import {
  asynchronous,
  faces,
  folder,
  modelOf,
  propertyOf,
  realTime,
  refusalOf,
  stackOf,
} from '../support/gpu-endpoints.js';
import { propertiesOf, statementsOf } from '../support/option-combinations.js';

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

  test('a key for results beside a bucket with another one, by which requests are encrypted', () => {
    const make = (isOther: boolean) => {
      const stack = stackOf();
      const encryptionKey = new Key(stack, 'First');
      const bucket = new Bucket(stack, 'Own', { encryptionKey }) as IBucket;
      return asynchronous({ bucket, encryption: isOther ? new Key(stack, 'Second') : encryptionKey }, stack);
    };
    expect(refusalOf(() => make(true)).code).toBe('ENCRYPTION_TWICE');
    make(false);
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

describe('numbers that only the deployment knows', () => {
  const few = Token.asNumber({ Ref: 'Few' });
  const many = Token.asNumber({ Ref: 'Many' });
  const boundsOf = (template: Template) =>
    propertiesOf(template, 'AWS::ApplicationAutoScaling::ScalableTarget').map(({ MinCapacity, MaxCapacity }) => [
      MinCapacity,
      MaxCapacity,
    ]);
  const initialOf = (template: Template) =>
    (
      propertyOf(template, 'AWS::SageMaker::EndpointConfig').ProductionVariants as { InitialInstanceCount: unknown }[]
    )[0]?.InitialInstanceCount;

  test('stand in the template, and none that was calculated of them', () => {
    for (const make of [realTime, asynchronous]) {
      const alone = make({ scaling: { minInstances: few } }).template;
      expect([boundsOf(alone), initialOf(alone)]).toEqual([[], { Ref: 'Few' }]);
      const both = make({ scaling: { minInstances: few, maxInstances: many } }).template;
      expect([boundsOf(both), initialOf(both)]).toEqual([[[{ Ref: 'Few' }, { Ref: 'Many' }]], { Ref: 'Few' }]);
      const most = make({ scaling: { maxInstances: many } }).template;
      expect(boundsOf(most)).toEqual([[make === realTime ? 1 : 0, { Ref: 'Many' }]]);
    }
  });

  test.each<[string, Partial<RealTimeGpuEndpointProps>]>([
    ['dataCapture.share', { dataCapture: { bucket: undefined as unknown as IBucket, share: few } }],
    ['shadow.share', { shadow: { model: undefined as unknown as Model, share: few } }],
    ['weight', { weight: few, shadow: { model: undefined as unknown as Model, share: 0.5 } }],
  ])('are refused for %s, which is calculated with', (name, props) => {
    const refusal = refusalOf(() => realTime(props));
    expect(refusal.code).toBe('SHARE_INVALID');
    expect(refusal.message).toContain(`${name} is known to the deployment alone`);
  });
});

test('instances are named once each, as SageMaker names them', () => {
  expect(new Set(GPU_INSTANCES).size).toBe(GPU_INSTANCES.length);
  for (const name of GPU_INSTANCES) expect(name).toMatch(/^ml\.[gp]\d[a-z]*\.\d*xlarge$/);
});
