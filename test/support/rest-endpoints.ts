/** Endpoints behind a REST API, in stacks of a folder of the test file's own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { UserPool } from 'aws-cdk-lib/aws-cognito';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll } from 'vitest';
import {
  InferenceEndpoint,
  type InferenceEndpointProps,
  Model,
  type RestApiOptions,
} from '../../lib/constructs/index.js';
import { writeArtifactFolder } from './artifact-folder.js';
import { propertiesOf } from './option-combinations.js';

export type RestOptions = (stack: Stack) => Omit<RestApiOptions, 'apiType'>;

/** For the top of a test file: the folder goes when its tests are done. */
export function restEndpoints() {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-rest-api-'));
  const outdir = join(folder, 'cdk.out');
  beforeAll(() => {
    process.env.CDK_VALIDATION = 'false';
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const faces = (name = 'faces') =>
    Model.fromArtifact(writeArtifactFolder(folder, { name, taskType: 'object-detection' }));
  const endpointWith = (options: (stack: Stack) => Omit<InferenceEndpointProps, 'models'>) => {
    const stack = new Stack(new App({ outdir }), 'Vision');
    const props = { models: [faces()], ...options(stack) } as InferenceEndpointProps;
    return { stack, endpoint: new InferenceEndpoint(stack, 'Vision', props) };
  };
  const restWith = (options: RestOptions = () => ({})) =>
    endpointWith((stack) => ({ ...options(stack), apiType: 'rest' }));
  const templateOf = (options: RestOptions) => Template.fromStack(restWith(options).stack);
  return { outdir, faces, endpointWith, restWith, templateOf };
}

/** All but those that answer preflights. */
export function methodsOf(template: Template) {
  return propertiesOf(template, 'AWS::ApiGateway::Method').filter(({ HttpMethod }) => HttpMethod !== 'OPTIONS');
}

export function certificate(stack: Stack) {
  return Certificate.fromCertificateArn(stack, 'Certificate', 'arn:aws:acm:eu-west-1:123456789012:certificate/1');
}

/** A Lambda authorizer's function. */
export function checkCaller(stack: Stack) {
  return new LambdaFunction(stack, 'CheckCaller', {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code: Code.fromInline('exports.handler = async () => ({ isAuthorized: false })'),
  });
}

export function userPool(stack: Stack) {
  return UserPool.fromUserPoolId(stack, 'Pool', 'eu-west-1_example');
}
