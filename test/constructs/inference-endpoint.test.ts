import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { CorsHttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { App, Duration, Stack } from 'aws-cdk-lib/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { InferenceAuth, InferenceEndpoint, type InferenceEndpointProps, Model } from '../../lib/constructs/index.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';
import { httpEndpoints } from '../support/http-endpoints.js';

const { folder, outdir, faces, vision, templateOf } = httpEndpoints();

interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}
const resources = (template: Template, type: string) =>
  Object.values(template.findResources(type)) as unknown as Resource[];
const propertiesOf = (template: Template, type: string) =>
  resources(template, type).map((resource) => resource.Properties);
const routeKeys = (template: Template) =>
  propertiesOf(template, 'AWS::ApiGatewayV2::Route').map((route) => route.RouteKey);

describe('an endpoint with defaults', () => {
  let template: Template;
  beforeAll(() => {
    template = templateOf();
  });

  test('runs on arm64 and nodejs24.x with one vCPU, behind the alias live', () => {
    template.hasResourceProperties('AWS::Lambda::Function', {
      Architectures: ['arm64'],
      Handler: 'index.handler',
      MemorySize: 1769,
      Runtime: 'nodejs24.x',
      Timeout: 29,
      Environment: { Variables: { CDK_ONNX_ARTIFACT: '/opt/models/faces', ORT_DISABLE_TELEMETRY: '1' } },
      Layers: [
        Match.objectLike({ Ref: Match.stringLikeRegexp('OnnxRuntime') }),
        Match.objectLike({ Ref: Match.stringLikeRegexp('Model') }),
      ],
      LoggingConfig: { LogGroup: Match.anyValue() },
      TracingConfig: Match.absent(),
    });
    template.hasResourceProperties('AWS::Lambda::Alias', { Name: 'live' });
    template.resourceCountIs('AWS::Lambda::Function', 1);
  });

  test('has literal routes and no other', () => {
    expect(routeKeys(template).sort()).toEqual([
      'GET /openapi.json',
      'GET /v1/models/faces',
      'GET /v1/models/faces/metadata',
      'GET /v1/models/faces/versions/{version}',
      'GET /v1/models/faces/versions/{version}/metadata',
      'GET /v2',
      'GET /v2/health/live',
      'GET /v2/health/ready',
      'GET /v2/models',
      'GET /v2/models/faces',
      'GET /v2/models/faces/ready',
      'GET /v2/models/faces/versions/{version}',
      'GET /v2/models/faces/versions/{version}/ready',
      'POST /predict/faces',
      'POST /v1/models/faces/versions/{version}',
      'POST /v1/models/faces:predict',
      'POST /v2/models/faces/infer',
      'POST /v2/models/faces/versions/{version}/infer',
    ]);
  });

  test('asks IAM on every route and sends no CORS headers', () => {
    const routes = propertiesOf(template, 'AWS::ApiGatewayV2::Route');
    expect(routes.map((route) => route.AuthorizationType)).toEqual(routes.map(() => 'AWS_IAM'));
    template.hasResourceProperties('AWS::ApiGatewayV2::Api', {
      ProtocolType: 'HTTP',
      CorsConfiguration: Match.absent(),
    });
  });

  test('stays within limits that no linter checks', () => {
    for (const integration of propertiesOf(template, 'AWS::ApiGatewayV2::Integration')) {
      expect(integration.PayloadFormatVersion).toBe('2.0');
      expect(integration.TimeoutInMillis).toBeLessThanOrEqual(30_000);
      expect(integration.IntegrationUri).toEqual({ Ref: expect.stringContaining('Alias') });
    }
    for (const lambda of propertiesOf(template, 'AWS::Lambda::Function')) {
      expect(lambda.MemorySize).toBeLessThanOrEqual(10_240);
      expect(lambda.Timeout).toBeLessThanOrEqual(900);
    }
    template.resourceCountIs('AWS::ApiGatewayV2::Integration', 1);
  });

  test('gives its role exactly its log group', () => {
    const roles = propertiesOf(template, 'AWS::IAM::Role');
    expect(roles).toHaveLength(1);
    expect(roles[0]).toMatchObject({
      AssumeRolePolicyDocument: {
        Statement: [{ Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } }],
      },
      Policies: [
        {
          PolicyName: 'WriteLogs',
          PolicyDocument: {
            Statement: [
              {
                Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
                Effect: 'Allow',
                Resource: { 'Fn::GetAtt': [expect.stringMatching(/facesLogs/), 'Arn'] },
              },
            ],
          },
        },
      ],
    });
    expect(roles[0]).not.toHaveProperty('ManagedPolicyArns');
    template.resourceCountIs('AWS::IAM::Policy', 0);
    template.resourceCountIs('AWS::IAM::ManagedPolicy', 0);
  });

  test('lets the API invoke the alias, route by route, and nothing else', () => {
    const permissions = propertiesOf(template, 'AWS::Lambda::Permission');
    expect(permissions).toHaveLength(18);
    const arns = permissions.map((permission) => JSON.stringify(permission.SourceArn));
    for (const path of [
      '/v2',
      '/predict/faces',
      '/v2/models/faces/infer',
      '/v2/models/faces/versions/{version}/infer',
    ]) {
      expect(arns.filter((arn) => arn.includes(`/*/*${path}"`))).toHaveLength(1);
    }
    for (const permission of permissions) {
      expect(permission).toMatchObject({
        Action: 'lambda:InvokeFunction',
        Principal: 'apigateway.amazonaws.com',
        FunctionName: { Ref: expect.stringContaining('Alias') },
      });
    }
  });

  test('keeps logs for a month and deletes them with the stack; keeps versions and layers', () => {
    const logGroups = resources(template, 'AWS::Logs::LogGroup');
    expect(logGroups.map(({ Properties, DeletionPolicy }) => [Properties.RetentionInDays, DeletionPolicy])).toEqual([
      [30, 'Delete'],
      [30, 'Delete'],
    ]);
    for (const type of ['AWS::Lambda::Version', 'AWS::Lambda::LayerVersion']) {
      expect(resources(template, type).every((resource) => resource.UpdateReplacePolicy === 'Retain')).toBe(true);
    }
    template.resourceCountIs('AWS::Lambda::LayerVersion', 2);
  });

  test('outputs its URL', () => {
    expect(Object.values(template.findOutputs('*'))).toEqual([
      expect.objectContaining({ Value: { 'Fn::GetAtt': [expect.stringContaining('Api'), 'ApiEndpoint'] } }),
    ]);
  });

  test('names its resources the same each time', () => {
    const ids = (of: Template) =>
      Object.keys((of.toJSON() as { Resources: object }).Resources).map((id) =>
        // A version's id ends with the hash of what it is a version of.
        id.replace(/(?<=CurrentVersion\w{8})[0-9a-f]{32}$/, ''),
      );
    expect(ids(templateOf())).toEqual(ids(template));
    expect(ids(template)).toMatchInlineSnapshot(`
      [
        "VisionModelsfacesModelLayer9E94F478",
        "VisionModelsfacesLogs0B118581",
        "VisionModelsfacesRole2B930038",
        "VisionModelsfacesFunction36644089",
        "VisionModelsfacesFunctionCurrentVersion41BC5229",
        "VisionModelsfacesAlias920F91DF",
        "VisionOnnxRuntimeLayerB9788FE5",
        "VisionApiHttpApiD8AD0AB9",
        "VisionApiHttpApiGETv2facesIntegration8D2C14FB",
        "VisionApiHttpApiGETv2facesIntegrationPermission2EBDBB20",
        "VisionApiHttpApiGETv213405D6C",
        "VisionApiHttpApiGETv2healthlivefacesIntegrationPermission20A11662",
        "VisionApiHttpApiGETv2healthlive736D4279",
        "VisionApiHttpApiGETv2healthreadyfacesIntegrationPermissionB99B29B3",
        "VisionApiHttpApiGETv2healthready45EF4CDD",
        "VisionApiHttpApiGETv2modelsfacesIntegrationPermission3FDDFAC4",
        "VisionApiHttpApiGETv2modelsDAE790BB",
        "VisionApiHttpApiGETopenapijsonfacesIntegrationPermission96790ED7",
        "VisionApiHttpApiGETopenapijson18CE0870",
        "VisionApiHttpApiGETv2modelsfacesfacesIntegrationPermission06ACEAD5",
        "VisionApiHttpApiGETv2modelsfacesD6912A8E",
        "VisionApiHttpApiGETv2modelsfacesreadyfacesIntegrationPermissionBD90C7AB",
        "VisionApiHttpApiGETv2modelsfacesreadyCF037D93",
        "VisionApiHttpApiPOSTv2modelsfacesinferfacesIntegrationPermission06E25E4E",
        "VisionApiHttpApiPOSTv2modelsfacesinfer9A7E95D2",
        "VisionApiHttpApiGETv2modelsfacesversionsversionfacesIntegrationPermission83A94946",
        "VisionApiHttpApiGETv2modelsfacesversionsversion288D0774",
        "VisionApiHttpApiGETv2modelsfacesversionsversionreadyfacesIntegrationPermission03F4006B",
        "VisionApiHttpApiGETv2modelsfacesversionsversionready9248D36C",
        "VisionApiHttpApiPOSTv2modelsfacesversionsversioninferfacesIntegrationPermission3451F8E6",
        "VisionApiHttpApiPOSTv2modelsfacesversionsversioninfer0113FC4D",
        "VisionApiHttpApiGETv1modelsfacesfacesIntegrationPermission758EB5D9",
        "VisionApiHttpApiGETv1modelsfaces0BC448B0",
        "VisionApiHttpApiGETv1modelsfacesmetadatafacesIntegrationPermission2E56253C",
        "VisionApiHttpApiGETv1modelsfacesmetadata1C462242",
        "VisionApiHttpApiPOSTv1modelsfacespredictfacesIntegrationPermissionF31EB8D5",
        "VisionApiHttpApiPOSTv1modelsfacespredict5CC12D1B",
        "VisionApiHttpApiGETv1modelsfacesversionsversionfacesIntegrationPermission2C045A34",
        "VisionApiHttpApiGETv1modelsfacesversionsversionE051E2F0",
        "VisionApiHttpApiGETv1modelsfacesversionsversionmetadatafacesIntegrationPermission1B3E54EB",
        "VisionApiHttpApiGETv1modelsfacesversionsversionmetadata14C8ACE6",
        "VisionApiHttpApiPOSTv1modelsfacesversionsversionfacesIntegrationPermissionA8A94A13",
        "VisionApiHttpApiPOSTv1modelsfacesversionsversion5CBB06BF",
        "VisionApiHttpApiPOSTpredictfacesfacesIntegrationPermissionEF0753B6",
        "VisionApiHttpApiPOSTpredictfaces445E1A89",
        "VisionApiAccessLogs0831701B",
        "VisionApiDefaultStageADA5259A",
      ]
    `);
  });
});

describe('options', () => {
  const logs = (stack: Stack) => new LogGroup(stack, 'Shared');
  const table: readonly [string, Partial<InferenceEndpointProps>, string, Record<string, unknown>][] = [
    ['x86_64', { architecture: Architecture.X86_64 }, 'AWS::Lambda::Function', { Architectures: ['x86_64'] }],
    [
      'x86_64 layers',
      { architecture: Architecture.X86_64 },
      'AWS::Lambda::LayerVersion',
      { CompatibleArchitectures: ['x86_64'] },
    ],
    ['memory', { memorySize: 10_240 }, 'AWS::Lambda::Function', { MemorySize: 10_240 }],
    ['timeout', { timeout: Duration.minutes(15) }, 'AWS::Lambda::Function', { Timeout: 900 }],
    [
      'environment',
      { environment: { MODE: 'x' } },
      'AWS::Lambda::Function',
      { Environment: { Variables: Match.objectLike({ MODE: 'x', ORT_DISABLE_TELEMETRY: '1' }) } },
    ],
    ['retention', { logRetention: RetentionDays.ONE_WEEK }, 'AWS::Logs::LogGroup', { RetentionInDays: 7 }],
    ['API timeout', { apiTimeout: Duration.seconds(5) }, 'AWS::ApiGatewayV2::Integration', { TimeoutInMillis: 5000 }],
    ['no authorization', { auth: InferenceAuth.none() }, 'AWS::ApiGatewayV2::Route', { AuthorizationType: 'NONE' }],
    [
      'CORS',
      { cors: { allowOrigins: ['https://example.com'], allowMethods: [CorsHttpMethod.POST] } },
      'AWS::ApiGatewayV2::Api',
      { CorsConfiguration: { AllowOrigins: ['https://example.com'], AllowMethods: ['POST'] } },
    ],
  ];
  test.each(table)('%s', (_, props, type, properties) => {
    templateOf(props).hasResourceProperties(type, properties);
  });

  test('context chooses the architecture where the properties do not', () => {
    const context = { 'cdk-onnx:architecture': 'x86_64' };
    templateOf({}, context).hasResourceProperties('AWS::Lambda::Function', { Architectures: ['x86_64'] });
    templateOf({ architecture: Architecture.ARM_64 }, context).hasResourceProperties('AWS::Lambda::Function', {
      Architectures: ['arm64'],
    });
    expect(() => templateOf({}, { 'cdk-onnx:architecture': 'riscv' })).toThrow(
      expect.objectContaining({ code: 'ARCHITECTURE_UNKNOWN' }),
    );
  });

  test('a log group of the user takes the place of ours', () => {
    const stack = new Stack(new App({ outdir }), 'Vision');
    const [logGroup, accessLogGroup] = [logs(stack), new LogGroup(stack, 'Access')];
    new InferenceEndpoint(stack, 'Vision', { models: [faces()], logGroup, accessLogGroup });
    Template.fromStack(stack).resourceCountIs('AWS::Logs::LogGroup', 2);
  });

  test('every combination of options holds what must always hold', () => {
    const pick = <T>(values: readonly T[], seed: number) => values[seed % values.length] as T;
    for (let seed = 0; seed < 24; seed += 1) {
      const auth = pick([undefined, InferenceAuth.iam(), InferenceAuth.none()], seed);
      const template = templateOf({
        architecture: pick([Architecture.ARM_64, Architecture.X86_64], seed),
        memorySize: pick([128, 1769, 10_240], seed >> 1),
        timeout: Duration.seconds(pick([1, 29, 900], seed >> 2)),
        apiTimeout: Duration.seconds(pick([1, 29], seed >> 3)),
        ...(auth === undefined ? {} : { auth }),
        ...(seed % 4 === 0 ? { cors: { allowOrigins: ['*'] } } : {}),
      });
      expect(propertiesOf(template, 'AWS::IAM::Role')[0]).not.toHaveProperty('ManagedPolicyArns');
      const expected = seed % 3 === 2 ? 'NONE' : 'AWS_IAM';
      expect(
        new Set(propertiesOf(template, 'AWS::ApiGatewayV2::Route').map((route) => route.AuthorizationType)),
      ).toEqual(new Set([expected]));
      expect(propertiesOf(template, 'AWS::ApiGatewayV2::Integration').map((i) => i.PayloadFormatVersion)).toEqual([
        '2.0',
      ]);
    }
  });
});

test('the size plan is said, with its numbers', () => {
  const { stack, endpoint } = vision();
  expect(endpoint.functions.get('faces')?.sizePlan).toMatchObject({ kind: 'layer', modelBytes: expect.any(Number) });
  const [info] = Annotations.fromStack(stack).findInfo('*', Match.anyValue());
  expect(info?.entry.data).toMatch(
    /^runtime 2\d,\d{3},\d{3} bytes .* within Lambda's 262,144,000 bytes .*: the model is a layer/,
  );
});

test('another content of a model is another version of its function, and the same content is the same version', () => {
  const versionOf = (taskType: 'tensor' | 'object-detection') => {
    const { stack } = vision({ models: [Model.fromArtifact(writeArtifactFolder(folder, { taskType }))] });
    return Object.keys(Template.fromStack(stack).findResources('AWS::Lambda::Version'));
  };
  expect(versionOf('object-detection')).toEqual(versionOf('object-detection'));
  expect(versionOf('tensor')).not.toEqual(versionOf('object-detection'));
});

describe('several models', () => {
  const several = () => {
    const { stack, endpoint } = vision();
    const text = endpoint.addModel(Model.fromArtifact(writeArtifactFolder(folder, { name: 'text' })), {
      memorySize: 512,
    });
    return { stack, endpoint, text };
  };

  test('have a function each, share the runtime layer, and the first one answers for the server', () => {
    const { stack, endpoint } = several();
    const template = Template.fromStack(stack);
    template.resourceCountIs('AWS::Lambda::Function', 2);
    template.resourceCountIs('AWS::Lambda::LayerVersion', 3);
    template.hasResourceProperties('AWS::Lambda::Function', {
      MemorySize: 512,
      Environment: { Variables: { CDK_ONNX_ARTIFACT: '/opt/models/text' } },
    });
    expect(routeKeys(template)).toContain('POST /v2/models/text/infer');
    expect(routeKeys(template)).not.toContain('POST /predict/text');
    const targetOf = (key: string) => {
      const route = propertiesOf(template, 'AWS::ApiGatewayV2::Route').find(
        (properties) => properties.RouteKey === key,
      );
      return JSON.stringify(route?.Target);
    };
    expect(targetOf('GET /v2/health/ready')).toBe(targetOf('POST /predict/faces'));
    expect(targetOf('GET /v2/models/text')).not.toBe(targetOf('GET /v2'));
    expect([...endpoint.functions.keys()]).toEqual(['faces', 'text']);
  });

  test('are listed to the function that answers for the server, and to no other', () => {
    const lists = propertiesOf(Template.fromStack(several().stack), 'AWS::Lambda::Function').map(
      ({ Environment }) => (Environment as { Variables: Record<string, string> }).Variables.CDK_ONNX_MODELS,
    );
    expect(lists.filter((list) => list !== undefined)).toEqual([
      '[{"name":"faces","version":1},{"name":"text","version":1}]',
    ]);
  });

  test('adding a model changes no logical id of the others, but of the version that lists it', () => {
    const first = templateOf();
    const versions = Object.keys(first.findResources('AWS::Lambda::Version'));
    expect(versions).toHaveLength(1);
    const ids = Object.keys((first.toJSON() as { Resources: object }).Resources);
    const before = ids.filter((id) => !versions.includes(id));
    const after = Object.keys((Template.fromStack(several().stack).toJSON() as { Resources: object }).Resources);
    expect(after).toEqual(expect.arrayContaining(before));
    expect(after).not.toContain(versions[0]);
  });

  test('fails if two have one name', () => {
    expect(() => vision({ models: [faces(), faces()] })).toThrow(expect.objectContaining({ code: 'MODEL_NAME_TWICE' }));
    expect(() => vision().endpoint.addModel(faces())).toThrow(expect.objectContaining({ code: 'MODEL_NAME_TWICE' }));
  });
});

test('grantInvoke allows exactly the routes', () => {
  const { stack, endpoint } = vision();
  endpoint.grantInvoke(new Role(stack, 'Caller', { assumedBy: new AccountPrincipal('123456789012') }));
  const [policy] = propertiesOf(Template.fromStack(stack), 'AWS::IAM::Policy') as {
    PolicyDocument: { Statement: { Action: string; Resource: unknown[] }[] };
  }[];
  expect(policy?.PolicyDocument.Statement).toHaveLength(1);
  const [statement] = policy?.PolicyDocument.Statement ?? [];
  expect(statement?.Action).toBe('execute-api:Invoke');
  expect(statement?.Resource).toHaveLength(16);
  expect(JSON.stringify(statement?.Resource)).toContain('/*/POST/predict/faces');
});

test('grantInvoke of a function allows the alias', () => {
  const { stack, endpoint } = vision();
  endpoint.functions
    .get('faces')
    ?.grantInvoke(new Role(stack, 'Caller', { assumedBy: new AccountPrincipal('123456789012') }));
  Template.fromStack(stack).hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: [
        { Action: 'lambda:InvokeFunction', Effect: 'Allow', Resource: { Ref: Match.stringLikeRegexp('Alias') } },
      ],
    },
  });
});

test('metrics speak of the alias and the API', () => {
  const { stack, endpoint } = vision();
  const inferenceFunction = endpoint.functions.get('faces');
  expect(inferenceFunction?.metricErrors()).toMatchObject({
    namespace: 'AWS/Lambda',
    metricName: 'Errors',
    statistic: 'Sum',
  });
  expect(stack.resolve(inferenceFunction?.metricDuration().dimensions)).toHaveProperty('Resource');
  expect(endpoint.api.metricServerError()).toMatchObject({ namespace: 'AWS/ApiGateway', metricName: '5xx' });
});
