import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { ApiKey, EndpointType, Period } from 'aws-cdk-lib/aws-apigateway';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { UserPool } from 'aws-cdk-lib/aws-cognito';
import { AccountPrincipal, AnyPrincipal, PolicyDocument, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { App, Duration, Stack, Token } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type HttpApiOptions,
  InferenceApi,
  InferenceAuth,
  InferenceEndpoint,
  type InferenceEndpointProps,
  InferenceFunction,
  Model,
  type RestApiOptions,
} from '../../lib/constructs/index.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-rest-api-'));
const outdir = join(folder, 'cdk.out');
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type RestOptions = (stack: Stack) => Omit<RestApiOptions, 'apiType'>;
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
const propertiesOf = (template: Template, type: string) =>
  Object.values(template.findResources(type)).map(({ Properties }) => Properties as Record<string, unknown>);
const methodsOf = (template: Template) =>
  propertiesOf(template, 'AWS::ApiGateway::Method').filter(({ HttpMethod }) => HttpMethod !== 'OPTIONS');

const certificate = (stack: Stack) =>
  Certificate.fromCertificateArn(stack, 'Certificate', 'arn:aws:acm:eu-west-1:123456789012:certificate/1');
const checkCaller = (stack: Stack) =>
  new LambdaFunction(stack, 'CheckCaller', {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code: Code.fromInline('exports.handler = async () => ({ isAuthorized: false })'),
  });
const userPool = (stack: Stack) => UserPool.fromUserPoolId(stack, 'Pool', 'eu-west-1_example');

describe('a REST API with defaults', () => {
  let template: Template;
  let endpoint: InferenceEndpoint;
  let stack: Stack;
  beforeAll(() => {
    ({ stack, endpoint } = restWith());
    template = Template.fromStack(stack);
  });

  test('has the routes of an HTTP API, each as literal resources', () => {
    const http = endpointWith(() => ({})).endpoint;
    expect([...endpoint.api.routes.keys()]).toEqual([...http.api.routes.keys()]);
    const parts = propertiesOf(template, 'AWS::ApiGateway::Resource').map(({ PathPart }) => PathPart);
    expect(parts).toContain('faces:predict');
    expect(parts).toContain('{version}');
    expect(parts).not.toContain('{proxy+}');
    expect(methodsOf(template)).toHaveLength(18);
  });

  test('is regional, signed, buffered, and takes every type for binary', () => {
    template.hasResourceProperties('AWS::ApiGateway::RestApi', {
      BinaryMediaTypes: ['*/*'],
      EndpointConfiguration: { Types: ['REGIONAL'] },
      Policy: Match.absent(),
    });
    for (const method of methodsOf(template)) {
      expect(method).toMatchObject({ AuthorizationType: 'AWS_IAM', ApiKeyRequired: false });
      expect(method.Integration).toEqual({
        Type: 'AWS_PROXY',
        IntegrationHttpMethod: 'POST',
        TimeoutInMillis: 29_000,
        Uri: { 'Fn::Join': ['', expect.arrayContaining([{ Ref: expect.stringContaining('Alias') }, '/invocations'])] },
      });
      expect(method).not.toHaveProperty('RequestValidatorId');
    }
    template.hasResourceProperties('AWS::Lambda::Function', { Handler: 'index.handler' });
  });

  test('logs accesses without query strings, and leaves the role of the account alone', () => {
    const [stage] = propertiesOf(template, 'AWS::ApiGateway::Stage');
    expect(stage).toMatchObject({ StageName: 'prod', AccessLogSetting: { DestinationArn: expect.anything() } });
    const { Format } = (stage?.AccessLogSetting ?? {}) as { Format: string };
    expect(JSON.parse(Format)).toMatchObject({
      requestId: '$context.requestId',
      resourcePath: '$context.resourcePath',
    });
    expect(Format).not.toMatch(/querystring|\$context\.path\b/);
    template.resourceCountIs('AWS::ApiGateway::Account', 0);
    template.resourceCountIs('AWS::IAM::Role', 1);
  });

  test('lets API Gateway invoke the alias for this API only, by one permission', () => {
    const permissions = propertiesOf(template, 'AWS::Lambda::Permission');
    expect(permissions).toEqual([
      {
        Action: 'lambda:InvokeFunction',
        Principal: 'apigateway.amazonaws.com',
        FunctionName: { Ref: expect.stringContaining('Alias') },
        SourceArn: {
          'Fn::Join': ['', expect.arrayContaining([{ Ref: expect.stringMatching(/^VisionApiRestApi/) }, '/*/*/*'])],
        },
      },
    ]);
  });

  test('outputs its URL once', () => {
    const outputs = Object.values(template.findOutputs('*'));
    expect(outputs).toHaveLength(1);
    expect(JSON.stringify(outputs[0])).toContain('.execute-api.');
    expect(JSON.stringify(stack.resolve(endpoint.url))).toMatch(
      /"\/",\{"Ref":"VisionApiRestApiDeploymentStageprod\w+"\}\]\]\}$/,
    );
  });

  test('says that its URL comes and goes with the type, and that its logs need a role', () => {
    const infos = (options: RestOptions) => {
      const found = Annotations.fromStack(restWith(options).stack).findInfo('*', Match.anyValue());
      return found.map(({ entry }) => String(entry.data)).join('\n');
    };
    expect(infos(() => ({}))).toMatch(/replaces its URL/);
    expect(infos(() => ({}))).toMatch(/cloudWatchRole/);
    const settled = infos((inner) => ({
      customDomain: { name: 'vision.example.com', certificate: certificate(inner) },
      cloudWatchRole: true,
    }));
    expect(settled).not.toMatch(/replaces its URL|cloudWatchRole/);
  });

  test('is reachable as what it is', () => {
    expect(endpoint.api.restApi.deploymentStage.stageName).toBeDefined();
    expect(endpoint.api.usagePlans.size).toBe(0);
    const http = endpointWith(() => ({})).endpoint;
    for (const read of [() => endpoint.api.httpApi, () => endpoint.api.stage, () => http.api.restApi]) {
      expect(read).toThrow(expect.objectContaining({ code: 'API_TYPE', name: 'SynthesisError' }));
    }
  });

  test('has metrics of its stage', () => {
    expect(endpoint.metricServerError()).toMatchObject({ namespace: 'AWS/ApiGateway', metricName: '5XXError' });
    expect(Object.keys(endpoint.metricLatency().dimensions ?? {}).sort()).toEqual(['ApiName', 'Stage']);
    const [api] = propertiesOf(template, 'AWS::ApiGateway::RestApi');
    expect(endpoint.metricCount().dimensions?.ApiName).toBe(api?.Name);
  });
});

describe('options of REST APIs', () => {
  test('usage plans: a key in every request, quotas and throttles for each', () => {
    const { stack, endpoint } = restWith((inner) => ({
      usagePlans: [
        { name: 'gold', throttle: { rateLimit: 10, burstLimit: 5 }, apiKeys: ['acme', new ApiKey(inner, 'Theirs')] },
        { name: 'free', quota: { limit: 100, period: Period.DAY } },
      ],
    }));
    const template = Template.fromStack(stack);
    for (const method of methodsOf(template)) expect(method.ApiKeyRequired).toBe(true);
    template.hasResourceProperties('AWS::ApiGateway::UsagePlan', {
      UsagePlanName: 'gold',
      Throttle: { RateLimit: 10, BurstLimit: 5 },
      Quota: Match.absent(),
      ApiStages: [Match.objectLike({ Stage: Match.anyValue() })],
    });
    template.hasResourceProperties('AWS::ApiGateway::UsagePlan', { Quota: { Limit: 100, Period: 'DAY' } });
    template.resourceCountIs('AWS::ApiGateway::ApiKey', 2);
    template.resourceCountIs('AWS::ApiGateway::UsagePlanKey', 2);
    expect([...endpoint.api.usagePlans.keys()]).toEqual(['gold', 'free']);
  });

  test('a web ACL that exists', () => {
    const arn = 'arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/ours/1';
    const template = templateOf(() => ({ webAcl: { arn } }));
    template.resourceCountIs('AWS::WAFv2::WebACL', 0);
    template.hasResourceProperties('AWS::WAFv2::WebACLAssociation', {
      WebACLArn: arn,
      ResourceArn: { 'Fn::Join': ['', Match.arrayWith(['::/restapis/', '/stages/'])] },
    });
  });

  test('a web ACL that blocks who sends too much, and keeps no samples of requests', () => {
    templateOf(() => ({ webAcl: { requestsPerAddress: 200 } })).hasResourceProperties('AWS::WAFv2::WebACL', {
      Scope: 'REGIONAL',
      DefaultAction: { Allow: {} },
      Rules: [
        Match.objectLike({
          Action: { Block: { CustomResponse: { ResponseCode: 429 } } },
          Statement: { RateBasedStatement: { AggregateKeyType: 'IP', Limit: 200, EvaluationWindowSec: 300 } },
          VisibilityConfig: Match.objectLike({ SampledRequestsEnabled: false }),
        }),
      ],
    });
  });

  test('request validation: JSON against schemas, a type for pictures, nothing for reads', () => {
    const template = templateOf(() => ({ requestValidation: true }));
    template.hasResourceProperties('AWS::ApiGateway::RequestValidator', {
      ValidateRequestBody: true,
      ValidateRequestParameters: true,
    });
    const validated = methodsOf(template).filter((method) => 'RequestValidatorId' in method);
    expect(new Set(validated.map(({ HttpMethod }) => HttpMethod))).toEqual(new Set(['POST']));
    expect(validated).toHaveLength(5);
    const models = validated.flatMap(({ RequestModels = {} }) => Object.keys(RequestModels as object));
    expect(models).toEqual(Array.from({ length: 4 }, () => 'application/json'));
    const picture = validated.filter((method) => 'RequestParameters' in method);
    expect(picture.map(({ RequestParameters }) => RequestParameters)).toEqual([
      { 'method.request.header.Content-Type': true },
    ]);
    const schemas = propertiesOf(template, 'AWS::ApiGateway::Model').map(({ Schema }) => Schema);
    expect(schemas).toEqual([
      expect.objectContaining({ required: ['inputs'], $schema: 'http://json-schema.org/draft-04/schema#' }),
      expect.objectContaining({ oneOf: [{ required: ['instances'] }, { required: ['inputs'] }] }),
    ]);
  });

  test('streaming: another invocation, another handler, a longer wait', () => {
    const { stack, endpoint } = endpointWith(() => ({
      apiType: 'rest',
      streaming: true,
      apiTimeout: Duration.minutes(15),
      timeout: Duration.minutes(15),
    }));
    const template = Template.fromStack(stack);
    for (const { Integration } of methodsOf(template)) {
      expect(Integration).toMatchObject({ ResponseTransferMode: 'STREAM', TimeoutInMillis: 900_000 });
      expect(JSON.stringify(Integration)).toContain(':lambda:path/2021-11-15/functions/');
    }
    template.hasResourceProperties('AWS::Lambda::Function', { Handler: 'index.streamingHandler', Timeout: 900 });
    const [inferenceFunction] = endpoint.functions.values();
    if (inferenceFunction === undefined) throw new Error('no function');
    expect(() => new InferenceApi(stack, 'Buffered', { functions: [inferenceFunction] })).toThrow(
      expect.objectContaining({ code: 'RESPONSE_MODE_CHANGED' }),
    );
  });

  test('streaming makes another version of the function and another deployment of the API', () => {
    const idsOf = (options: RestOptions) => {
      const template = templateOf(options);
      return ['AWS::Lambda::Version', 'AWS::ApiGateway::Deployment'].map(
        (type) => Object.keys(template.findResources(type))[0],
      );
    };
    const [version, deployment] = idsOf(() => ({}));
    const [streamedVersion, streamedDeployment] = idsOf(() => ({ streaming: true }));
    expect(streamedVersion).not.toBe(version);
    expect(streamedDeployment).not.toBe(deployment);
    expect(idsOf(() => ({}))).toEqual([version, deployment]);
  });

  test('a longer wait, where AWS raised the quota; a stage; throttling; a policy', () => {
    const template = templateOf(() => ({
      apiTimeoutQuota: Duration.minutes(2),
      apiTimeout: Duration.seconds(100),
      stageName: 'v1',
      throttle: { rateLimit: 0.5, burstLimit: 20 },
      resourcePolicy: new PolicyDocument({
        statements: [
          new PolicyStatement({
            actions: ['execute-api:Invoke'],
            principals: [new AnyPrincipal()],
            resources: ['execute-api:/*'],
          }),
        ],
      }),
    }));
    for (const { Integration } of methodsOf(template)) expect(Integration).toMatchObject({ TimeoutInMillis: 100_000 });
    template.hasResourceProperties('AWS::ApiGateway::Stage', {
      StageName: 'v1',
      MethodSettings: [
        {
          HttpMethod: '*',
          ResourcePath: '/*',
          ThrottlingRateLimit: 0.5,
          ThrottlingBurstLimit: 20,
          DataTraceEnabled: false,
        },
      ],
    });
    template.hasResourceProperties('AWS::ApiGateway::RestApi', {
      Policy: {
        Statement: [
          { Action: 'execute-api:Invoke', Effect: 'Allow', Principal: { AWS: '*' }, Resource: 'execute-api:/*' },
        ],
      },
    });
  });

  test('the role of the account, where it is asked for', () => {
    const template = templateOf(() => ({ cloudWatchRole: true }));
    template.hasResource('AWS::ApiGateway::Account', { DeletionPolicy: 'Retain' });
    template.hasResource('AWS::ApiGateway::Stage', { DependsOn: Match.arrayWith([Match.stringLikeRegexp('Account')]) });
  });

  test('CORS: preflights without authorization, and a function that names who may read', () => {
    const template = templateOf(() => ({
      usagePlans: [{ name: 'free' }],
      cors: {
        allowOrigins: ['https://a.example.com', 'https://b.example.com'],
        allowCredentials: true,
        exposeHeaders: ['Inference-Header-Content-Length'],
        maxAge: Duration.hours(1),
      },
    }));
    const preflights = propertiesOf(template, 'AWS::ApiGateway::Method').filter(
      ({ HttpMethod }) => HttpMethod === 'OPTIONS',
    );
    const resources = new Set(methodsOf(template).map(({ ResourceId }) => JSON.stringify(ResourceId)));
    expect(preflights).toHaveLength(resources.size);
    for (const preflight of preflights) {
      expect(preflight).toMatchObject({
        AuthorizationType: 'NONE',
        ApiKeyRequired: false,
        Integration: {
          Type: 'MOCK',
          ContentHandling: 'CONVERT_TO_TEXT',
          IntegrationResponses: [
            {
              StatusCode: '204',
              ResponseParameters: {
                'method.response.header.Access-Control-Allow-Origin': "'https://a.example.com'",
                'method.response.header.Access-Control-Allow-Credentials': "'true'",
                'method.response.header.Access-Control-Max-Age': "'3600'",
                'method.response.header.Vary': "'Origin'",
              },
            },
          ],
        },
      });
      expect(JSON.stringify(preflight)).toContain('$origin == \\"https://b.example.com\\"');
    }
    template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: {
        Variables: {
          CDK_ONNX_CORS:
            '{"allowOrigins":["https://a.example.com","https://b.example.com"],"allowCredentials":true,"exposeHeaders":["Inference-Header-Content-Length"]}',
        },
      },
    });
    template.resourceCountIs('AWS::ApiGateway::GatewayResponse', 0);
  });

  test('CORS of one origin reaches the answers of API Gateway itself', () => {
    const template = templateOf(() => ({ cors: { allowOrigins: ['*'] } }));
    expect(propertiesOf(template, 'AWS::ApiGateway::GatewayResponse')).toEqual(
      ['DEFAULT_4XX', 'DEFAULT_5XX'].map((ResponseType) =>
        expect.objectContaining({
          ResponseType,
          ResponseParameters: { 'gatewayresponse.header.Access-Control-Allow-Origin': "'*'" },
        }),
      ),
    );
  });
});

describe('a custom domain', () => {
  const mappingOf = (template: Template) => Object.entries(template.findResources('AWS::ApiGatewayV2::ApiMapping'));
  const withDomain = (apiType: 'http' | 'rest') =>
    endpointWith((stack) => ({
      apiType,
      customDomain: { name: 'vision.example.com', certificate: certificate(stack), mappingKey: 'ml/vision' },
    }));

  test('keeps its URL and its resources when the type of the API changes', () => {
    const [http, rest] = [withDomain('http'), withDomain('rest')];
    const [httpTemplate, restTemplate] = [Template.fromStack(http.stack), Template.fromStack(rest.stack)];
    const [[httpId, httpMapping] = []] = mappingOf(httpTemplate);
    const [[restId, restMapping] = []] = mappingOf(restTemplate);
    expect(restId).toBe(httpId);
    expect(restMapping?.Properties).toMatchObject({
      ApiId: { Ref: expect.stringContaining('RestApi') },
      ApiMappingKey: 'ml/vision',
      DomainName: httpMapping?.Properties.DomainName,
    });
    expect(restTemplate.findResources('AWS::ApiGatewayV2::DomainName')).toEqual(
      httpTemplate.findResources('AWS::ApiGatewayV2::DomainName'),
    );
    expect(rest.stack.resolve(rest.endpoint.url)).toEqual(http.stack.resolve(http.endpoint.url));
    expect(restMapping?.DependsOn).toEqual(expect.arrayContaining([expect.stringContaining('Stage')]));
  });
});

describe('who may call a REST API', () => {
  test('is said by a token of a Cognito user pool', () => {
    const template = templateOf((stack) => ({
      auth: InferenceAuth.cognito([userPool(stack)], { scopes: ['ml/predict'] }),
    }));
    template.hasResourceProperties('AWS::ApiGateway::Authorizer', {
      Type: 'COGNITO_USER_POOLS',
      IdentitySource: 'method.request.header.Authorization',
      AuthorizerResultTtlInSeconds: 300,
    });
    for (const method of methodsOf(template)) {
      expect(method).toMatchObject({ AuthorizationType: 'COGNITO_USER_POOLS', AuthorizationScopes: ['ml/predict'] });
    }
  });

  test('is decided by a function, cached for each caller, resource and method', () => {
    const template = templateOf((stack) => ({ auth: InferenceAuth.lambda(checkCaller(stack)) }));
    template.hasResourceProperties('AWS::ApiGateway::Authorizer', {
      Type: 'REQUEST',
      IdentitySource: 'method.request.header.Authorization,context.resourcePath,context.httpMethod',
      AuthorizerResultTtlInSeconds: 300,
    });
    const permissions = propertiesOf(template, 'AWS::Lambda::Permission').filter(({ FunctionName }) =>
      JSON.stringify(FunctionName).includes('CheckCaller'),
    );
    expect(permissions).toEqual([
      {
        Action: 'lambda:InvokeFunction',
        Principal: 'apigateway.amazonaws.com',
        FunctionName: expect.anything(),
        SourceArn: { 'Fn::Join': ['', expect.arrayContaining(['/authorizers/'])] },
      },
    ]);
  });

  test('is asked in the words of REST APIs', () => {
    const identitySource = [
      '$request.header.X-Tenant',
      '$request.querystring.key',
      '$context.identity.sourceIp',
      '$stageVariables.mode',
    ];
    templateOf((stack) => ({
      auth: InferenceAuth.lambda(checkCaller(stack), { identitySource, response: 'iam-policy' }),
    })).hasResourceProperties('AWS::ApiGateway::Authorizer', {
      IdentitySource:
        'method.request.header.X-Tenant,method.request.querystring.key,context.identity.sourceIp,stageVariables.mode',
    });
  });

  test('changes the deployment when it changes', () => {
    const deployment = (minutes: number) =>
      Object.keys(
        templateOf((stack) => ({
          auth: InferenceAuth.lambda(checkCaller(stack), { resultsCacheTtl: Duration.minutes(minutes) }),
        })).findResources('AWS::ApiGateway::Deployment'),
      );
    expect(deployment(1)).toEqual(deployment(1));
    expect(deployment(1)).not.toEqual(deployment(2));
  });

  test('is granted method by method', () => {
    const { stack, endpoint } = restWith();
    endpoint.grantInvoke(new Role(stack, 'Caller', { assumedBy: new AccountPrincipal('123456789012') }));
    const [policy] = propertiesOf(Template.fromStack(stack), 'AWS::IAM::Policy') as {
      PolicyDocument: { Statement: { Action: string; Effect: string; Resource: unknown[] }[] };
    }[];
    const statements = policy?.PolicyDocument.Statement ?? [];
    expect(statements).toEqual([{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: expect.any(Array) }]);
    expect(statements[0]?.Resource.length).toBeGreaterThanOrEqual(16);
    const text = JSON.stringify(statements[0]?.Resource);
    expect(text).toContain('/POST/v1/models/faces:predict');
    expect(text).toContain('/POST/v2/models/faces/versions/*/infer');
  });
});

describe('wrong options', () => {
  const domain = (stack: Stack) => ({ name: 'vision.example.com', certificate: certificate(stack) });
  test.each<[string, RestOptions]>([
    ['API_TIMEOUT_INVALID', () => ({ apiTimeout: Duration.seconds(30) })],
    ['API_TIMEOUT_INVALID', () => ({ apiTimeout: Duration.seconds(901), streaming: true })],
    ['API_TIMEOUT_INVALID', () => ({ apiTimeout: Duration.minutes(3), apiTimeoutQuota: Duration.minutes(2) })],
    ['API_TIMEOUT_QUOTA_INVALID', () => ({ apiTimeoutQuota: Duration.seconds(20) })],
    ['STAGE_NAME_INVALID', () => ({ stageName: '$default' })],
    ['STAGE_NAME_INVALID', () => ({ stageName: Token.asString({ Ref: 'Parameter' }) })],
    ['USAGE_PLAN_NAME_TWICE', () => ({ usagePlans: [{ name: 'a' }, { name: 'a' }] })],
    ['USAGE_PLAN_NAME_INVALID', () => ({ usagePlans: [{ name: 'a b' }] })],
    ['USAGE_PLAN_NAME_INVALID', () => ({ usagePlans: [{ name: 'a', apiKeys: [''] }] })],
    [
      'API_KEY_TWICE',
      () => ({
        usagePlans: [
          { name: 'a', apiKeys: ['k'] },
          { name: 'b', apiKeys: ['k'] },
        ],
      }),
    ],
    ['USAGE_QUOTA_INVALID', () => ({ usagePlans: [{ name: 'a', quota: { limit: 0, period: Period.DAY } }] })],
    ['THROTTLE_INVALID', () => ({ usagePlans: [{ name: 'a', throttle: { rateLimit: -1, burstLimit: 1 } }] })],
    ['WEB_ACL_RATE_INVALID', () => ({ webAcl: { requestsPerAddress: 9 } })],
    ['WEB_ACL_ARN_INVALID', () => ({ webAcl: { arn: 'arn:aws:wafv2:us-east-1:123456789012:global/webacl/ours/1' } })],
    ['PRIVATE_API_WITHOUT_POLICY', () => ({ endpointType: EndpointType.PRIVATE })],
    ['CUSTOM_DOMAIN_ENDPOINT_TYPE', (stack) => ({ endpointType: EndpointType.EDGE, customDomain: domain(stack) })],
    [
      'API_TIMEOUT_QUOTA_ENDPOINT_TYPE',
      () => ({ endpointType: EndpointType.EDGE, apiTimeoutQuota: Duration.minutes(1) }),
    ],
    ['AUTH_NEEDS_HTTP_API', () => ({ auth: InferenceAuth.jwt({ issuer: 'https://a.example', audience: ['web'] }) })],
    [
      'AUTH_RESPONSE_NEEDS_HTTP_API',
      (stack) => ({ auth: InferenceAuth.lambda(checkCaller(stack), { response: 'simple' }) }),
    ],
    [
      'AUTH_IDENTITY_SOURCE_INVALID',
      (stack) => ({ auth: InferenceAuth.lambda(checkCaller(stack), { identitySource: ['method.request.header.A'] }) }),
    ],
    ['USER_POOL_MISSING', () => ({ auth: InferenceAuth.cognito([]) })],
    ['CORS_CREDENTIALS_WITH_ANY_ORIGIN', () => ({ cors: { allowOrigins: ['*'], allowCredentials: true } })],
    ['CORS_ORIGIN_AMBIGUOUS', () => ({ cors: { allowOrigins: ['*', 'https://a.example'] } })],
    ['CORS_ORIGIN_MISSING', () => ({ cors: { allowMethods: [] } })],
  ])('%s', (code, options) => {
    expect(() => restWith(options)).toThrow(expect.objectContaining({ code, name: 'SynthesisError' }));
  });

  test.each<[string, Omit<HttpApiOptions, 'apiType'> | object]>([
    ['REST_API_ONLY', { usagePlans: [{ name: 'gold' }] }],
    ['REST_API_ONLY', { webAcl: { requestsPerAddress: 100 } }],
    ['REST_API_ONLY', { requestValidation: true }],
    ['REST_API_ONLY', { streaming: true }],
    ['REST_API_ONLY', { stageName: 'prod' }],
    ['AUTH_NEEDS_REST_API', { auth: InferenceAuth.cognito([{} as UserPool]) }],
    ['CORS_CREDENTIALS_WITH_ANY_ORIGIN', { cors: { allowOrigins: ['*'], allowCredentials: true } }],
  ])('%s on an HTTP API', (code, options) => {
    expect(() => endpointWith(() => options as HttpApiOptions)).toThrow(expect.objectContaining({ code }));
    expect(() => endpointWith(() => ({ ...options, apiType: 'http' }) as HttpApiOptions)).toThrow(
      expect.objectContaining({ code }),
    );
  });

  const codesOf = (make: () => unknown): string[] => {
    try {
      make();
    } catch (error) {
      return String(error)
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(':')[0] ?? '');
    }
    return [];
  };

  test('are reported all at once', () => {
    const everything = {
      usagePlans: [{ name: 'gold' }],
      webAcl: { requestsPerAddress: 100 },
      streaming: true,
      requestValidation: true,
      apiTimeout: Duration.minutes(15),
      cors: { allowOrigins: ['*'], allowCredentials: true },
    };
    expect(codesOf(() => endpointWith(() => everything as unknown as HttpApiOptions))).toEqual([
      'REST_API_ONLY',
      'REST_API_ONLY',
      'REST_API_ONLY',
      'REST_API_ONLY',
      'API_TIMEOUT_INVALID',
      'CORS_CREDENTIALS_WITH_ANY_ORIGIN',
    ]);
    const options: RestOptions = () => ({
      stageName: '',
      webAcl: { requestsPerAddress: 1 },
      endpointType: EndpointType.PRIVATE,
      auth: InferenceAuth.jwt({ issuer: '', audience: [] }),
    });
    expect(codesOf(() => restWith(options))).toEqual([
      'STAGE_NAME_INVALID',
      'WEB_ACL_RATE_INVALID',
      'PRIVATE_API_WITHOUT_POLICY',
      'AUTH_NEEDS_HTTP_API',
      'JWT_ISSUER_INVALID',
      'JWT_AUDIENCE_MISSING',
    ]);
  });

  test('are not looked for in tokens', () => {
    const parameter = { Ref: 'Parameter' };
    templateOf(() => ({
      webAcl: { arn: Token.asString(parameter) },
    })).hasResourceProperties('AWS::WAFv2::WebACLAssociation', { WebACLArn: parameter });
  });
});

test('functions of their own serve a REST API too', () => {
  const stack = new Stack(new App({ outdir }), 'Vision');
  const own = new InferenceFunction(stack, 'Faces', { model: faces() });
  const api = new InferenceApi(stack, 'Api', { apiType: 'rest', functions: [own] });
  expect(api.apiType).toBe('rest');
  Template.fromStack(stack).resourceCountIs('AWS::ApiGateway::RestApi', 1);
});
