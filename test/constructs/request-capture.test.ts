/** What `capture` makes of a function: its variable, its bucket, what it may do, and what is refused. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { App, Duration, Size, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CAPTURE_VARIABLE } from '../../lib/artifact/capture.js';
import { InferenceFunction, Model, type RequestCaptureOptions } from '../../lib/constructs/index.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';
import { beyondLimits } from '../support/deployment-limits.js';
import { findingsOf, statementsOf } from '../support/option-combinations.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-capture-'));
const outdir = join(folder, 'cdk.out');
let faces: Model;
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  faces = Model.fromArtifact(writeArtifactFolder(folder));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const KEY_ARN = 'arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555';
type Options = (stack: Stack) => RequestCaptureOptions;
const captured = (options: Options = () => ({})) => {
  const app = new App({ outdir });
  const stack = new Stack(app, 'Vision', { env: { account: '123456789012', region: 'eu-west-1' } });
  const predict = new InferenceFunction(stack, 'Faces', { model: faces, capture: options(stack) });
  return { app, stack, predict };
};
const key = (stack: Stack) => Key.fromKeyArn(stack, 'Key', KEY_ARN);
const settingsOf = (template: Template) => {
  const [resource] = Object.values(template.findResources('AWS::Lambda::Function'));
  const value = resource?.Properties.Environment.Variables[CAPTURE_VARIABLE];
  const text =
    typeof value === 'string'
      ? value
      : value['Fn::Join'][1].map((part: unknown) => (typeof part === 'string' ? part : 'BUCKET')).join('');
  return JSON.parse(text);
};
const WRITE_LOGS = expect.objectContaining({ Action: ['logs:CreateLogStream', 'logs:PutLogEvents'] });
const through = {
  StringEquals: { 'kms:ViaService': { 'Fn::Join': ['', ['s3.eu-west-1.', { Ref: 'AWS::URLSuffix' }]] } },
};
const own = {
  'Fn::Join': ['', [{ 'Fn::GetAtt': [expect.stringMatching(/^FacesCaptureBucket/), 'Arn'] }, '/captures/faces/*']],
};
const givenBucket = (prefix: string) => ({
  'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, `:s3:::given/${prefix}faces/*`]],
});
const ENCRYPT = { Action: 'kms:GenerateDataKey', Effect: 'Allow', Resource: KEY_ARN, Condition: through };

describe('a function that keeps requests may put them below its prefix, and nothing else', () => {
  test.each<[string, Options, readonly object[]]>([
    ['in a bucket of its own', () => ({}), [{ Action: 's3:PutObject', Effect: 'Allow', Resource: own }]],
    [
      'in a bucket of its own with a key',
      (stack) => ({ encryption: key(stack), expiry: Duration.days(7) }),
      [{ Action: 's3:PutObject', Effect: 'Allow', Resource: own }, ENCRYPT],
    ],
    [
      'in a given bucket',
      (stack) => ({ bucket: Bucket.fromBucketName(stack, 'Given', 'given'), prefix: 'a/b/' }),
      [{ Action: 's3:PutObject', Effect: 'Allow', Resource: givenBucket('a/b/') }],
    ],
    [
      'in a given bucket with a key of its own',
      (stack) => ({
        bucket: Bucket.fromBucketAttributes(stack, 'Given', { bucketName: 'given', encryptionKey: key(stack) }),
      }),
      [{ Action: 's3:PutObject', Effect: 'Allow', Resource: givenBucket('captures/') }, ENCRYPT],
    ],
    [
      'in a given bucket with a given key',
      (stack) => ({ bucket: Bucket.fromBucketName(stack, 'Given', 'given'), encryption: key(stack) }),
      [{ Action: 's3:PutObject', Effect: 'Allow', Resource: givenBucket('captures/') }, ENCRYPT],
    ],
  ])('%s', (_, options, statements) => {
    const { stack } = captured(options);
    const template = Template.fromStack(stack);
    expect(statementsOf(template)).toEqual([WRITE_LOGS, ...statements]);
    expect(beyondLimits(template)).toEqual([]);
    const annotations = Annotations.fromStack(stack);
    expect(annotations.findWarning('*', Match.anyValue())).toEqual([]);
    expect(findingsOf(captured(options).app, outdir)).toEqual([]);
  });
});

test('what the function is told is what was asked for', () => {
  expect(settingsOf(Template.fromStack(captured().stack))).toEqual({
    bucket: 'BUCKET',
    prefix: 'captures/',
    share: 0.01,
    maxBodyBytes: 1_048_576,
    headers: [],
    inputs: {},
    outputs: {},
    wait: false,
  });
  const { stack } = captured((stack) => ({
    bucket: Bucket.fromBucketName(stack, 'Given', 'given'),
    prefix: 'kept/',
    share: 0.5,
    maxBodySize: Size.kibibytes(64),
    headers: ['X-Tenant'],
    redactInputs: { input: 'replace' },
    redactOutputs: { regressors: 'drop' },
    waitForWrite: true,
  }));
  expect(settingsOf(Template.fromStack(stack))).toEqual({
    bucket: 'given',
    prefix: 'kept/',
    share: 0.5,
    maxBodyBytes: 65_536,
    headers: ['x-tenant'],
    inputs: { input: 'replace' },
    outputs: { regressors: 'drop' },
    wait: true,
  });
});

test('its own bucket is for nobody else, encrypted, and forgets', () => {
  Template.fromStack(captured().stack).hasResource('AWS::S3::Bucket', {
    DeletionPolicy: 'Retain',
    Properties: {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
      },
      LifecycleConfiguration: { Rules: [{ ExpirationInDays: 30, Status: 'Enabled' }] },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
    },
  });
  const { stack } = captured((of) => ({ encryption: key(of), expiry: Duration.days(7) }));
  Template.fromStack(stack).hasResourceProperties('AWS::S3::Bucket', {
    BucketEncryption: {
      ServerSideEncryptionConfiguration: [
        { BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: KEY_ARN } },
      ],
    },
    LifecycleConfiguration: { Rules: [{ ExpirationInDays: 7, Status: 'Enabled' }] },
  });
});

test('whoever is granted it reads and lists what was kept of this function', () => {
  const { stack, predict } = captured((of) => ({ encryption: key(of) }));
  const reader = new Role(stack, 'Reader', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  predict.capture?.grantRead(reader);
  const bucketArn = { 'Fn::GetAtt': [expect.stringMatching(/^FacesCaptureBucket/), 'Arn'] };
  const [, policy] = [0, Object.values(Template.fromStack(stack).findResources('AWS::IAM::Policy'))[0]];
  expect(policy?.Properties.PolicyDocument.Statement).toEqual([
    { Action: 's3:GetObject', Effect: 'Allow', Resource: own },
    {
      Action: 's3:ListBucket',
      Effect: 'Allow',
      Resource: bucketArn,
      Condition: { StringLike: { 's3:prefix': 'captures/faces/*' } },
    },
    { Action: 'kms:Decrypt', Effect: 'Allow', Resource: KEY_ARN },
  ]);
});

test('a function without it has none', () => {
  const stack = new Stack(new App({ outdir }), 'Vision');
  const predict = new InferenceFunction(stack, 'Faces', { model: faces });
  expect(predict.capture).toBeUndefined();
  expect(JSON.stringify(Template.fromStack(stack).toJSON())).not.toMatch(/CAPTURE|s3:PutObject/);
});

describe('is refused', () => {
  const bucket = (stack: Stack) => Bucket.fromBucketName(stack, 'Given', 'given');
  test.each<[string, string, Options]>([
    ['CAPTURE_INVALID', 'share is 0', () => ({ share: 0 })],
    ['CAPTURE_INVALID', 'share is 1.5', () => ({ share: 1.5 })],
    ['CAPTURE_INVALID', "prefix is '/a/'", () => ({ prefix: '/a/' })],
    ['CAPTURE_INVALID', "prefix is 'a'", () => ({ prefix: 'a' })],
    ['CAPTURE_INVALID', 'expiry is 0.5 days', () => ({ expiry: Duration.hours(12) })],
    ['CAPTURE_INVALID', 'maxBodySize is 5 MiB', () => ({ maxBodySize: Size.mebibytes(5) })],
    ['CAPTURE_INVALID', 'maxBodySize is 0 MiB', () => ({ maxBodySize: Size.mebibytes(0) })],
    ['CAPTURE_INVALID', "headers has 'a b'", () => ({ headers: ['a b'] })],
    ['CAPTURE_HEADER_SECRET', 'Authorization', () => ({ headers: ['Authorization'] })],
    ['CAPTURE_HEADER_SECRET', 'Cookie', () => ({ headers: ['Cookie'] })],
    ['CAPTURE_HEADER_SECRET', 'X-Api-Key', () => ({ headers: ['X-Api-Key'] })],
    ['CAPTURE_HEADER_SECRET', 'x-amz-security-token', () => ({ headers: ['x-amz-security-token'] })],
    ['CAPTURE_EXPIRY_WITHOUT_EFFECT', 'expiry', (stack) => ({ bucket: bucket(stack), expiry: Duration.days(1) })],
    [
      'CAPTURE_KEY_TWICE',
      'encryption',
      (stack) => ({
        bucket: Bucket.fromBucketAttributes(stack, 'Given', { bucketName: 'given', encryptionKey: key(stack) }),
        encryption: Key.fromKeyArn(stack, 'Other', KEY_ARN),
      }),
    ],
    ['CAPTURE_INVALID', "'blur' for input", () => ({ redactInputs: { input: 'blur' as 'drop' } })],
    ['CAPTURE_REDACTION_UNKNOWN', "redactInputs names 'inptu'", () => ({ redactInputs: { inptu: 'drop' } })],
    ['CAPTURE_REDACTION_UNKNOWN', "redactOutputs names 'input'", () => ({ redactOutputs: { input: 'drop' } })],
  ])('%s: %s', (code, text, options) => {
    let error: unknown;
    try {
      captured(options);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code, name: 'SynthesisError', message: expect.stringContaining(text) });
  });
});
