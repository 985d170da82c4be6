import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { ApiKey, Period } from 'aws-cdk-lib/aws-apigateway';
import { AnyPrincipal, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Duration, type Stack } from 'aws-cdk-lib/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { InferenceApi, type InferenceEndpoint } from '../../lib/constructs/index.js';
import { propertiesOf } from '../support/option-combinations.js';
import { certificate, methodsOf, type RestOptions, restEndpoints } from '../support/rest-endpoints.js';

const { endpointWith, restWith, templateOf } = restEndpoints();

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
