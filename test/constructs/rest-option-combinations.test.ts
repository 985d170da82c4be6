/** As option-combinations.test.ts, for what a REST API has of its own: every pair of alternatives against cdk-nag, CDK's validation and the policies. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { EndpointType, Period } from 'aws-cdk-lib/aws-apigateway';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { UserPool } from 'aws-cdk-lib/aws-cognito';
import { AnyPrincipal, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Function as LambdaFunction, Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { App, Duration, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InferenceAuth, InferenceEndpoint, type InferenceEndpointProps, Model } from '../../lib/constructs/index.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';
import { findingsOf, nameRows, pairwise, propertiesOf, statementsOf } from '../support/option-combinations.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-rest-combinations-'));
const outdir = join(folder, 'cdk.out');
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Options = Partial<Extract<InferenceEndpointProps, { readonly apiType: 'rest' }>>;

const WEB_ACL = 'arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/ours/1';
const certificate = (stack: Stack) =>
  Certificate.fromCertificateArn(stack, 'Certificate', 'arn:aws:acm:eu-west-1:123456789012:certificate/1');
const authorizer = (stack: Stack) =>
  LambdaFunction.fromFunctionArn(stack, 'Check', 'arn:aws:lambda:eu-west-1:123456789012:function:check');
const officeOnly = () =>
  new PolicyDocument({
    statements: [
      new PolicyStatement({
        actions: ['execute-api:Invoke'],
        principals: [new AnyPrincipal()],
        resources: ['execute-api:/*'],
        conditions: { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } },
      }),
    ],
  });

/** Alternatives for each group of options; the first is the default. */
const ALTERNATIVES: Readonly<Record<string, readonly ((stack: Stack) => Options)[]>> = {
  auth: [
    () => ({}),
    (stack) => ({ auth: InferenceAuth.cognito([UserPool.fromUserPoolId(stack, 'Pool', 'eu-west-1_example')]) }),
    (stack) => ({ auth: InferenceAuth.lambda(authorizer(stack)) }),
    () => ({ auth: InferenceAuth.none() }),
  ],
  plans: [
    () => ({}),
    () => ({ usagePlans: [{ name: 'free' }] }),
    () => ({
      usagePlans: [
        {
          name: 'gold',
          throttle: { rateLimit: 10, burstLimit: 5 },
          quota: { limit: 1000, period: Period.DAY },
          apiKeys: ['acme', 'umbrella'],
        },
        { name: 'free', quota: { limit: 10, period: Period.MONTH } },
      ],
    }),
  ],
  firewall: [() => ({}), () => ({ webAcl: { requestsPerAddress: 100 } }), () => ({ webAcl: { arn: WEB_ACL } })],
  validation: [() => ({}), () => ({ requestValidation: true })],
  transfer: [
    () => ({}),
    () => ({ streaming: true }),
    () => ({ streaming: true, apiTimeout: Duration.minutes(15), timeout: Duration.minutes(15) }),
    () => ({ apiTimeoutQuota: Duration.minutes(2), apiTimeout: Duration.minutes(2) }),
  ],
  entrance: [
    () => ({}),
    (stack) => ({
      customDomain: { name: 'vision.example.com', certificate: certificate(stack) },
      disableExecuteApiEndpoint: true,
    }),
    () => ({ endpointType: EndpointType.EDGE, stageName: 'v1' }),
    () => ({ resourcePolicy: officeOnly() }),
  ],
  pages: [
    () => ({}),
    () => ({ cors: { allowOrigins: ['*'] }, throttle: { rateLimit: 10, burstLimit: 5 } }),
    () => ({ cors: { allowOrigins: ['https://a.example.com', 'https://b.example.com'], allowCredentials: true } }),
  ],
  logs: [
    () => ({}),
    (stack) => {
      const key = new Key(stack, 'Key', { enableKeyRotation: true });
      return { logEncryption: key, accessLogEncryption: key, tracing: Tracing.ACTIVE };
    },
    (stack) => ({ accessLogGroup: new LogGroup(stack, 'AccessLogs') }),
    () => ({ cloudWatchRole: true }),
  ],
};

const groups = Object.entries(ALTERNATIVES);
const indexOf = (group: string) => groups.findIndex(([name]) => name === group);
/** No region raises the timeout of edge-optimized APIs: such rows wait no longer than others. */
const withoutContradiction = (row: readonly number[]) =>
  row[indexOf('entrance')] === 2 && row[indexOf('transfer')] === 3
    ? row.map((choice, index) => (index === indexOf('transfer') ? 0 : choice))
    : row;
const rows = pairwise(groups.map(([, alternatives]) => alternatives.length)).map(withoutContradiction);
const nameOf = nameRows(groups.map(([name]) => name));

const build = (row: readonly number[]) => {
  const app = new App({ outdir });
  const stack = new Stack(app, 'Vision', { env: { account: '123456789012', region: 'eu-west-1' } });
  const options = Object.assign(
    {},
    ...groups.map(([, choices], index) => choices[row[index] ?? 0]?.(stack)),
  ) as Options;
  const models = [Model.fromArtifact(writeArtifactFolder(folder, { taskType: 'object-detection' }))];
  const endpoint = new InferenceEndpoint(stack, 'Vision', { models, ...options, apiType: 'rest' });
  return { app, stack, endpoint, options };
};

/** In the order of the alternatives of `auth`. */
const AUTHORIZATION_TYPES = ['AWS_IAM', 'COGNITO_USER_POOLS', 'CUSTOM', 'NONE'];
/** The statements that a combination of options needs, and no other. */
const expectedStatements = ({ tracing }: Options): object[] => [
  {
    Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    Effect: 'Allow',
    Resource: { 'Fn::GetAtt': [expect.stringContaining('Logs'), 'Arn'] },
  },
  ...(tracing === undefined
    ? []
    : [{ Action: ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], Effect: 'Allow', Resource: '*' }]),
];
const expectedFindings = ({ webAcl }: Options, authorization: string | undefined): string[] => [
  ...(webAcl === undefined ? ['AwsSolutions-APIG3'] : []),
  ...(authorization === 'NONE' ? ['AwsSolutions-APIG4', 'AwsSolutions-COG4'] : []),
];

test('the table stays small', () => {
  expect(rows.length).toBeLessThan(32);
});

describe('an endpoint has no finding, no policy and no value beyond what its options need', () => {
  test.each(rows.map((row) => ({ name: nameOf(row), row })))('$name', ({ row }) => {
    const { stack, options } = build(row);
    const template = Template.fromStack(stack);

    expect(statementsOf(template)).toEqual(expectedStatements(options));
    const managed = propertiesOf(template, 'AWS::IAM::Role').flatMap(({ ManagedPolicyArns = [] }) => ManagedPolicyArns);
    expect(managed).toHaveLength(options.cloudWatchRole === true ? 1 : 0);
    template.resourceCountIs('AWS::IAM::ManagedPolicy', 0);
    template.resourceCountIs('AWS::ApiGateway::Account', options.cloudWatchRole === true ? 1 : 0);

    const authorization = AUTHORIZATION_TYPES[row[indexOf('auth')] ?? 0];
    const methods = propertiesOf(template, 'AWS::ApiGateway::Method');
    for (const method of methods.filter(({ HttpMethod }) => HttpMethod !== 'OPTIONS')) {
      expect(method.AuthorizationType).toBe(authorization);
      expect(method.ApiKeyRequired).toBe(options.usagePlans !== undefined);
      const integration = method.Integration as Record<string, unknown>;
      expect(integration.Type).toBe('AWS_PROXY');
      expect(integration.TimeoutInMillis).toBe(options.apiTimeout?.toMilliseconds() ?? 29_000);
      expect(integration.ResponseTransferMode).toBe(options.streaming === true ? 'STREAM' : undefined);
      expect(JSON.stringify(integration.Uri)).toContain(
        options.streaming === true ? '/response-streaming-invocations' : '/invocations',
      );
    }
    for (const preflight of methods.filter(({ HttpMethod }) => HttpMethod === 'OPTIONS')) {
      expect(preflight).toMatchObject({
        AuthorizationType: 'NONE',
        ApiKeyRequired: false,
        Integration: { Type: 'MOCK' },
      });
    }
    for (const lambda of propertiesOf(template, 'AWS::Lambda::Function')) {
      expect(lambda.Handler).toBe(options.streaming === true ? 'index.streamingHandler' : 'index.handler');
    }
    for (const permission of propertiesOf(template, 'AWS::Lambda::Permission')) {
      expect(permission).toMatchObject({
        Action: 'lambda:InvokeFunction',
        Principal: 'apigateway.amazonaws.com',
        SourceArn: expect.anything(),
      });
    }
    for (const api of propertiesOf(template, 'AWS::ApiGateway::RestApi')) {
      expect(api).toMatchObject({
        BinaryMediaTypes: ['*/*'],
        EndpointConfiguration: { Types: [options.endpointType ?? 'REGIONAL'] },
      });
    }

    const annotations = Annotations.fromStack(stack);
    const messages = [
      ...annotations.findWarning('*', Match.anyValue()),
      ...annotations.findError('*', Match.anyValue()),
    ];
    expect(messages.map(({ id, entry }) => `${id}: ${entry.data}`)).toEqual([]);
    expect([...new Set(findingsOf(build(row).app, outdir))].sort()).toEqual(expectedFindings(options, authorization));
  });
});
