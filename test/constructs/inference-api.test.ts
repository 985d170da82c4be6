import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { DomainName } from 'aws-cdk-lib/aws-apigatewayv2';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { App, Duration, Stack, Token } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type InferenceApiOptions, InferenceAuth, InferenceEndpoint, Model } from '../../lib/constructs/index.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-api-'));
const outdir = join(folder, 'cdk.out');
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Options = (stack: Stack) => InferenceApiOptions;
const visionWith = (options: Options = () => ({})) => {
  const stack = new Stack(new App({ outdir }), 'Vision');
  const models = [Model.fromArtifact(writeArtifactFolder(folder))];
  return { stack, endpoint: new InferenceEndpoint(stack, 'Vision', { models, ...options(stack) }) };
};
const templateOf = (options: Options) => Template.fromStack(visionWith(options).stack);
const routesOf = (template: Template) =>
  Object.values(template.findResources('AWS::ApiGatewayV2::Route')).map(({ Properties }) => Properties);

const certificate = (stack: Stack) =>
  Certificate.fromCertificateArn(stack, 'Certificate', 'arn:aws:acm:eu-west-1:123456789012:certificate/1');
const checkCaller = (stack: Stack) =>
  new LambdaFunction(stack, 'CheckCaller', {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code: Code.fromInline('exports.handler = async () => ({ isAuthorized: false })'),
  });

test('throttles each route', () => {
  templateOf(() => ({ throttle: { rateLimit: 0.5, burstLimit: 20 } })).hasResourceProperties(
    'AWS::ApiGatewayV2::Stage',
    { DefaultRouteSettings: { ThrottlingRateLimit: 0.5, ThrottlingBurstLimit: 20 } },
  );
});

test('keeps access logs as long as it is told, under a key of the user, for groups of the stack only', () => {
  const template = templateOf((stack) => ({
    accessLogRetention: RetentionDays.ONE_YEAR,
    accessLogEncryption: new Key(stack, 'Key'),
  }));
  template.hasResourceProperties('AWS::Logs::LogGroup', {
    RetentionInDays: 365,
    KmsKeyId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Key'), 'Arn'] },
  });
  template.hasResourceProperties('AWS::KMS::Key', {
    KeyPolicy: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Action: ['kms:Decrypt*', 'kms:Describe*', 'kms:Encrypt*', 'kms:GenerateDataKey*', 'kms:ReEncrypt*'],
          Condition: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': Match.anyValue() } },
        }),
      ]),
    },
  });
});

describe('a custom domain', () => {
  const vision = (more: Partial<InferenceApiOptions> = {}, mapping: { readonly mappingKey?: string } = {}) =>
    visionWith((stack) => ({
      customDomain: { name: 'vision.example.com', certificate: certificate(stack), ...mapping },
      ...more,
    }));

  test('is created for a name and a certificate, and is the URL', () => {
    const { stack, endpoint } = vision();
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::ApiGatewayV2::DomainName', {
      DomainName: 'vision.example.com',
      DomainNameConfigurations: [
        {
          CertificateArn: 'arn:aws:acm:eu-west-1:123456789012:certificate/1',
          EndpointType: 'REGIONAL',
          SecurityPolicy: 'TLS_1_2',
        },
      ],
    });
    template.hasResourceProperties('AWS::ApiGatewayV2::ApiMapping', { ApiMappingKey: Match.absent() });
    template.hasResourceProperties('AWS::ApiGatewayV2::Api', { DisableExecuteApiEndpoint: Match.absent() });
    const url = stack.resolve(endpoint.url);
    expect(url).toEqual({ 'Fn::Join': ['', ['https://', { Ref: expect.stringContaining('DomainName') }]] });
    expect(stack.resolve(endpoint.api.domainName?.regionalHostedZoneId)).toHaveProperty('Fn::GetAtt');
  });

  test('may be the only way in, and shared with others by a mapping key', () => {
    const { stack, endpoint } = vision({ disableExecuteApiEndpoint: true }, { mappingKey: 'ml/vision' });
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::ApiGatewayV2::Api', { DisableExecuteApiEndpoint: true });
    template.hasResourceProperties('AWS::ApiGatewayV2::ApiMapping', { ApiMappingKey: 'ml/vision', Stage: '$default' });
    expect(JSON.stringify(stack.resolve(endpoint.url))).toContain('"/ml/vision"');
  });

  test('that exists is used as it is', () => {
    const attributes = { name: 'example.com', regionalDomainName: 'd-1.example.com', regionalHostedZoneId: 'Z1' };
    const { stack, endpoint } = visionWith((inner) => ({
      customDomain: { domainName: DomainName.fromDomainNameAttributes(inner, 'Domain', attributes), mappingKey: 'v' },
    }));
    Template.fromStack(stack).resourceCountIs('AWS::ApiGatewayV2::DomainName', 0);
    expect(endpoint.url).toBe('https://example.com/v');
  });
});

describe('who may call', () => {
  test('is said by a JSON Web Token', () => {
    const auth = InferenceAuth.jwt({ issuer: 'https://issuer.example.com', audience: ['web'], scopes: ['predict'] });
    const template = templateOf(() => ({ auth }));
    template.hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
      AuthorizerType: 'JWT',
      IdentitySource: ['$request.header.Authorization'],
      JwtConfiguration: { Audience: ['web'], Issuer: 'https://issuer.example.com' },
    });
    const routes = routesOf(template);
    expect(routes.map((route) => route.AuthorizationType)).toEqual(routes.map(() => 'JWT'));
    expect(routes.map((route) => route.AuthorizationScopes)).toEqual(routes.map(() => ['predict']));
    expect(routes[0]?.AuthorizerId).toEqual({ Ref: expect.stringContaining('JwtAuthorizer') });
  });

  test('is decided by a function, cached for each caller and route; only this authorizer may invoke it', () => {
    const template = templateOf((stack) => ({ auth: InferenceAuth.lambda(checkCaller(stack)) }));
    template.hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
      AuthorizerType: 'REQUEST',
      AuthorizerPayloadFormatVersion: '2.0',
      AuthorizerResultTtlInSeconds: 300,
      EnableSimpleResponses: true,
      IdentitySource: ['$request.header.Authorization', '$context.routeKey'],
    });
    expect(new Set(routesOf(template).map((route) => route.AuthorizationType))).toEqual(new Set(['CUSTOM']));
    const permissions = Object.values(template.findResources('AWS::Lambda::Permission'))
      .map(({ Properties }) => Properties)
      .filter((permission) => JSON.stringify(permission.FunctionName).includes('CheckCaller'));
    expect(permissions).toEqual([
      {
        Action: 'lambda:InvokeFunction',
        FunctionName: { 'Fn::GetAtt': [expect.stringContaining('CheckCaller'), 'Arn'] },
        Principal: 'apigateway.amazonaws.com',
        SourceArn: {
          'Fn::Join': ['', expect.arrayContaining(['/authorizers/', { Ref: expect.stringContaining('Authorizer') }])],
        },
      },
    ]);
  });

  test('is decided by a function that answers with a policy, each time', () => {
    templateOf((stack) => ({
      auth: InferenceAuth.lambda(checkCaller(stack), {
        response: 'iam-policy',
        identitySource: [],
        resultsCacheTtl: Duration.seconds(0),
      }),
    })).hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
      AuthorizerResultTtlInSeconds: 0,
      EnableSimpleResponses: Match.absent(),
    });
  });

  test('may be one and the same for two APIs', () => {
    const stack = new Stack(new App({ outdir }), 'Vision');
    const auth = InferenceAuth.lambda(checkCaller(stack));
    for (const id of ['One', 'Two']) {
      new InferenceEndpoint(stack, id, { models: [Model.fromArtifact(writeArtifactFolder(folder))], auth });
    }
    Template.fromStack(stack).resourceCountIs('AWS::ApiGatewayV2::Authorizer', 2);
  });
});

describe('wrong options', () => {
  const jwt = (options: Partial<Parameters<typeof InferenceAuth.jwt>[0]>) => ({
    auth: InferenceAuth.jwt({ issuer: 'https://issuer.example.com', audience: ['web'], ...options }),
  });
  test.each<[string, Options]>([
    ['THROTTLE_INVALID', () => ({ throttle: { rateLimit: 0, burstLimit: 1 } })],
    ['THROTTLE_INVALID', () => ({ throttle: { rateLimit: Number.NaN, burstLimit: 1 } })],
    ['THROTTLE_INVALID', () => ({ throttle: { rateLimit: 1, burstLimit: 0 } })],
    ['THROTTLE_INVALID', () => ({ throttle: { rateLimit: 1, burstLimit: 1.5 } })],
    [
      'CUSTOM_DOMAIN_NAME_INVALID',
      (stack) => ({ customDomain: { name: 'https://example.com', certificate: certificate(stack) } }),
    ],
    [
      'CUSTOM_DOMAIN_NAME_INVALID',
      (stack) => ({ customDomain: { name: 'Example.com', certificate: certificate(stack) } }),
    ],
    [
      'MAPPING_KEY_INVALID',
      (stack) => ({ customDomain: { name: 'example.com', certificate: certificate(stack), mappingKey: '/v/' } }),
    ],
    [
      'MAPPING_KEY_INVALID',
      (stack) => ({ customDomain: { name: 'example.com', certificate: certificate(stack), mappingKey: '' } }),
    ],
    ['API_WITHOUT_URL', () => ({ disableExecuteApiEndpoint: true })],
    [
      'ACCESS_LOG_RETENTION_WITHOUT_EFFECT',
      (stack) => ({ accessLogGroup: new LogGroup(stack, 'Logs'), accessLogRetention: RetentionDays.ONE_DAY }),
    ],
    [
      'ACCESS_LOG_ENCRYPTION_WITHOUT_EFFECT',
      (stack) => ({ accessLogGroup: new LogGroup(stack, 'Logs'), accessLogEncryption: new Key(stack, 'Key') }),
    ],
    ['JWT_ISSUER_INVALID', () => jwt({ issuer: 'http://issuer.example.com' })],
    ['JWT_AUDIENCE_MISSING', () => jwt({ audience: [] })],
    ['JWT_SCOPE_COUNT', () => jwt({ scopes: Array.from({ length: 11 }, (_, index) => `scope${index}`) })],
    [
      'AUTH_CACHE_INVALID',
      (stack) => ({ auth: InferenceAuth.lambda(checkCaller(stack), { resultsCacheTtl: Duration.seconds(3601) }) }),
    ],
    [
      'AUTH_IDENTITY_SOURCE_MISSING',
      (stack) => ({ auth: InferenceAuth.lambda(checkCaller(stack), { identitySource: [] }) }),
    ],
  ])('%s', (code, options) => {
    expect(() => visionWith(options)).toThrow(expect.objectContaining({ code, name: 'SynthesisError' }));
  });

  test('are reported all at once, with those of the functions', () => {
    const options = () => ({
      memorySize: 1,
      throttle: { rateLimit: -1, burstLimit: -1 },
      disableExecuteApiEndpoint: true,
      ...jwt({ issuer: '', audience: [] }),
    });
    let message = '';
    try {
      visionWith(options);
    } catch (error) {
      message = String(error);
    }
    const codes = message.split('\n').slice(1);
    expect(codes.map((line) => line.trim().split(':')[0])).toEqual([
      'MEMORY_SIZE_INVALID',
      'THROTTLE_INVALID',
      'THROTTLE_INVALID',
      'JWT_ISSUER_INVALID',
      'JWT_AUDIENCE_MISSING',
      'API_WITHOUT_URL',
    ]);
  });

  test('are not looked for in tokens', () => {
    const parameter = { Ref: 'Parameter' };
    templateOf((stack) => ({
      throttle: { rateLimit: Token.asNumber(parameter), burstLimit: Token.asNumber(parameter) },
      customDomain: { name: Token.asString(parameter), certificate: certificate(stack) },
      ...jwt({ issuer: Token.asString(parameter) }),
    })).hasResourceProperties('AWS::ApiGatewayV2::Stage', {
      DefaultRouteSettings: { ThrottlingRateLimit: parameter, ThrottlingBurstLimit: parameter },
    });
  });
});

describe('metrics', () => {
  const { stack, endpoint } = (() => {
    process.env.CDK_VALIDATION = 'false';
    return visionWith();
  })();
  type Named = 'metricInvocations' | 'metricErrors' | 'metricDuration' | 'metricThrottles';
  type Concurrency =
    | 'metricConcurrentExecutions'
    | 'metricProvisionedConcurrencySpillover'
    | 'metricProvisionedConcurrencyUtilization';
  test.each<[Named | Concurrency, string, string]>([
    ['metricInvocations', 'Invocations', 'Sum'],
    ['metricErrors', 'Errors', 'Sum'],
    ['metricDuration', 'Duration', 'Average'],
    ['metricThrottles', 'Throttles', 'Sum'],
    ['metricConcurrentExecutions', 'ConcurrentExecutions', 'Maximum'],
    ['metricProvisionedConcurrencySpillover', 'ProvisionedConcurrencySpilloverInvocations', 'Sum'],
    ['metricProvisionedConcurrencyUtilization', 'ProvisionedConcurrencyUtilization', 'Maximum'],
  ])('%s of a model are those of its alias', (name, metricName, statistic) => {
    const [modelName = ''] = endpoint.functions.keys();
    const metric = endpoint[name](modelName);
    expect(metric).toMatchObject({ namespace: 'AWS/Lambda', metricName, statistic });
    expect(JSON.stringify(stack.resolve(metric.dimensions?.Resource))).toContain(':live');
    expect(endpoint[name](modelName, { period: Duration.seconds(10), statistic: 'p99' })).toMatchObject({
      period: Duration.seconds(10),
      statistic: 'p99',
    });
    expect(() => endpoint[name]('cats')).toThrow(expect.objectContaining({ code: 'MODEL_UNKNOWN' }));
  });

  test.each<['metricCount' | 'metricClientError' | 'metricServerError' | 'metricLatency', string]>([
    ['metricCount', 'Count'],
    ['metricClientError', '4xx'],
    ['metricServerError', '5xx'],
    ['metricLatency', 'Latency'],
  ])('%s is the API’s', (name, metricName) => {
    expect(endpoint[name]()).toMatchObject({ namespace: 'AWS/ApiGateway', metricName });
  });

  test('of any name are there', () => {
    const [modelName = ''] = endpoint.functions.keys();
    expect(endpoint.metric(modelName, 'AsyncEventAge')).toMatchObject({ metricName: 'AsyncEventAge' });
  });
});
