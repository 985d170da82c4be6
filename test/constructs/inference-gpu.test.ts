/** `gpu` of an endpoint: what it makes, where routes lead, what models have of their own, and what is refused. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Tracing } from 'aws-cdk-lib/aws-lambda';
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3';
import { Duration, Token } from 'aws-cdk-lib/core';
import { describe, expect, test } from 'vitest';
import { UPLOAD_HEADERS } from '../../functions/router/jobs/job-upload.js';
import {
  InferenceDeployment,
  InferenceEndpoint,
  type InferenceEndpointProps,
  type InferenceGpuOptions,
  Model,
} from '../../lib/constructs/index.js';
import { faces, folder, modelOf, refusalOf, stackOf } from '../support/gpu-endpoints.js';
import { propertiesOf } from '../support/option-combinations.js';
import { echoModel } from '../support/served-artifact.js';

const endpointWith = (gpu: InferenceGpuOptions, props: Partial<InferenceEndpointProps> = {}) => {
  const stack = stackOf();
  const endpoint = new InferenceEndpoint(stack, 'Vision', {
    models: [faces],
    gpu,
    ...props,
  } as InferenceEndpointProps);
  return { stack, endpoint };
};
const templateOf = (gpu: InferenceGpuOptions, props?: Partial<InferenceEndpointProps>) =>
  Template.fromStack(endpointWith(gpu, props).stack);
const functionsOf = (template: Template) => propertiesOf(template, 'AWS::Lambda::Function');
const routerOf = (template: Template) =>
  functionsOf(template).find(({ Description }) => String(Description).includes('router')) as Record<string, unknown> & {
    Environment: { Variables: Record<string, unknown> };
  };
const instancesOf = (template: Template) =>
  propertiesOf(template, 'AWS::SageMaker::EndpointConfig').flatMap(({ ProductionVariants }) =>
    (ProductionVariants as { InstanceType: string }[]).map(({ InstanceType }) => InstanceType),
  );
const routeKeys = (template: Template) =>
  propertiesOf(template, 'AWS::ApiGatewayV2::Route').map(({ RouteKey }) => String(RouteKey));

describe('gpu', () => {
  test('is a GPU that answers at once and a router, which every route leads to', () => {
    const { stack, endpoint } = endpointWith({});
    const template = Template.fromStack(stack);
    expect(instancesOf(template)).toEqual(['ml.g5.xlarge']);
    expect(functionsOf(template).map(({ ReservedConcurrentExecutions }) => ReservedConcurrentExecutions)).toEqual([
      30, 60,
    ]);
    const integrations = propertiesOf(template, 'AWS::ApiGatewayV2::Integration');
    expect(integrations.map(({ IntegrationUri }) => IntegrationUri)).toEqual([
      { Ref: expect.stringMatching(/RouterAlias/) },
    ]);
    for (const { FunctionName } of propertiesOf(template, 'AWS::Lambda::Permission')) {
      expect(FunctionName).toEqual({ Ref: expect.stringMatching(/RouterAlias/) });
    }
    expect(routeKeys(template)).toContain('GET /v2/health/ready');
    expect(routeKeys(template).filter((key) => key.includes('/jobs'))).toEqual([]);
    expect([...endpoint.routers.keys()]).toEqual(['faces']);
    expect(endpoint.routers.get('faces')?.inferenceFunction).toBe(endpoint.functions.get('faces'));
    // The list of models is the function's to tell, the router only hands it on.
    const [predict, router] = functionsOf(template).map(({ Environment }) =>
      Object.keys(Object(Environment).Variables),
    );
    expect(predict).toContain('CDK_ONNX_MODELS');
    expect(router).not.toContain('CDK_ONNX_MODELS');
  });

  test.each<InferenceGpuOptions>([
    { queue: true },
    { policy: { onGpuUnavailable: 'queue' } },
    { queue: {}, policy: { onGpuUnavailable: 'queue' } },
  ])('makes jobs of what nobody answers: %j', (gpu) => {
    const template = templateOf(gpu);
    template.resourceCountIs('AWS::SageMaker::Endpoint', 2);
    expect(routerOf(template).Environment.Variables.CDK_ONNX_ROUTER_POLICY).toContain('"onGpuUnavailable":"queue"');
    expect(routeKeys(template).filter((key) => key.includes('/jobs'))).toEqual([
      'POST /v2/models/faces/jobs',
      'POST /v2/models/faces/jobs/{id}',
      'GET /v2/models/faces/jobs/{id}',
    ]);
  });

  test('makes jobs of uploads alone where the policy is to fail', () => {
    const { stack, endpoint } = endpointWith({ queue: true, policy: { onGpuUnavailable: 'fail' } });
    const template = Template.fromStack(stack);
    template.resourceCountIs('AWS::SageMaker::Endpoint', 2);
    const { Variables } = routerOf(template).Environment;
    expect(JSON.parse(String(Variables.CDK_ONNX_ROUTER_POLICY))).toEqual({ onGpuUnavailable: 'fail' });
    expect(Variables).toHaveProperty('CDK_ONNX_GPU_QUEUE_ENDPOINT');
    expect(routeKeys(template).filter((key) => key.includes('/jobs'))).toHaveLength(3);
    expect(endpoint.routers.get('faces')?.routing).toBe('uploads');
  });

  test('may be a queue alone', () => {
    const template = templateOf({ realTime: false, queue: { scaling: { maxInstances: 3 } } });
    template.resourceCountIs('AWS::SageMaker::Endpoint', 1);
    expect(routerOf(template).Environment.Variables).not.toHaveProperty('CDK_ONNX_GPU_ENDPOINT');
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MaxCapacity: 3 });
  });

  test('says once what holds for both kinds, and each kind says its own', () => {
    const template = templateOf({
      instanceType: 'ml.g6.xlarge',
      realTime: { scaling: { minInstances: 2, maxInstances: 2 } },
      queue: { instanceType: 'ml.g4dn.xlarge', expiry: Duration.days(3) },
      router: { memorySize: 2048 },
      policy: { hedgeAfter: 200 },
    });
    expect(instancesOf(template)).toEqual(['ml.g6.xlarge', 'ml.g4dn.xlarge']);
    expect(routerOf(template)).toMatchObject({ MemorySize: 2048 });
    expect(JSON.parse(String(routerOf(template).Environment.Variables.CDK_ONNX_ROUTER_POLICY))).toEqual({
      onGpuUnavailable: 'queue',
      hedgeAfter: 200,
    });
  });

  test('has what the endpoint says of functions, where the router does not say it otherwise', () => {
    const props = { tracing: Tracing.ACTIVE, logLevel: 'WARN', metricsNamespace: 'Vision', memorySize: 3008 } as const;
    expect(routerOf(templateOf({}, props))).toMatchObject({
      MemorySize: 1024,
      TracingConfig: { Mode: 'Active' },
      Environment: { Variables: { POWERTOOLS_LOG_LEVEL: 'WARN', POWERTOOLS_METRICS_NAMESPACE: 'Vision' } },
    });
    const { Variables } = routerOf(
      templateOf({ router: { publishMetrics: false, logLevel: 'INFO' } }, props),
    ).Environment;
    expect(Variables).toMatchObject({ POWERTOOLS_LOG_LEVEL: 'INFO', POWERTOOLS_METRICS_DISABLED: 'true' });
    expect(Variables).not.toHaveProperty('POWERTOOLS_METRICS_NAMESPACE');
  });

  test('leaves the API a second more than the router, whatever the API waits', () => {
    const { endpoint } = endpointWith({}, { apiTimeout: Duration.seconds(10) });
    expect(endpoint.routers.get('faces')?.policy.timeout).toBe(9_000);
    const shorter = endpointWith({ policy: { timeout: 2_000 } }, { apiTimeout: Duration.seconds(10) });
    expect(shorter.endpoint.routers.get('faces')?.policy.timeout).toBe(2_000);
    const longer = { apiType: 'rest', apiTimeoutQuota: Duration.minutes(2), apiTimeout: Duration.minutes(2) } as const;
    expect(endpointWith({}, longer).endpoint.routers.get('faces')?.policy.timeout).toBe(28_000);
  });

  test('gives both functions behind a REST API the pages that may read answers', () => {
    const template = templateOf({ queue: true }, { apiType: 'rest', cors: { allowOrigins: ['https://example.com'] } });
    for (const { Environment } of functionsOf(template)) {
      expect(JSON.parse(Object(Environment).Variables.CDK_ONNX_CORS)).toEqual({
        allowOrigins: ['https://example.com'],
        allowCredentials: false,
        exposeHeaders: ['Location', 'Retry-After'],
      });
    }
    const methods = propertiesOf(template, 'AWS::ApiGateway::Method').filter(
      ({ HttpMethod }) => HttpMethod !== 'OPTIONS',
    );
    for (const { Integration } of methods) {
      expect(JSON.stringify(Integration)).toMatch(/RouterAlias/);
    }
  });

  const corsOf = (template: Template) =>
    propertiesOf(template, 'AWS::S3::Bucket').map(({ CorsConfiguration }) => CorsConfiguration);

  test.each([{ apiType: 'http' }, { apiType: 'rest' }] as const)(
    'lets pages that may call upload requests and read results: %j',
    (api) => {
      const cors = { allowOrigins: ['https://example.com', 'https://example.org'], maxAge: Duration.minutes(10) };
      // What every page of a browser has to send along with an upload.
      const AllowedHeaders = Object.keys(UPLOAD_HEADERS);
      expect(corsOf(templateOf({ queue: true }, { ...api, cors }))).toEqual([
        {
          CorsRules: [
            { AllowedMethods: ['PUT'], AllowedOrigins: cors.allowOrigins, AllowedHeaders, MaxAge: 600 },
            // Behind a redirect from the API browsers do not say whose page asks.
            { AllowedMethods: ['GET'], AllowedOrigins: ['*'], MaxAge: 600 },
          ],
        },
      ]);
      expect(corsOf(templateOf({ queue: true }, api))).toEqual([undefined]);
      expect(corsOf(templateOf({}, { ...api, cors }))).toEqual([]);
    },
  );

  test('leaves a bucket of the user as it is', () => {
    const stack = stackOf();
    const bucket = new Bucket(stack, 'Mine', { versioned: true });
    const cors = { allowOrigins: ['https://example.com'] };
    new InferenceEndpoint(stack, 'Vision', { models: [faces], gpu: { queue: { bucket: bucket as IBucket } }, cors });
    expect(corsOf(Template.fromStack(stack))).toEqual([undefined]);
  });

  test('is checked by no schema where uploads begin and end, which have no tensors', () => {
    const template = templateOf({ queue: true }, { apiType: 'rest', requestValidation: true });
    const validated = propertiesOf(template, 'AWS::ApiGateway::Method').filter(({ RequestModels }) => RequestModels);
    expect(validated).toHaveLength(4);
  });
});

describe('concurrency', () => {
  const reservations = (gpu: InferenceGpuOptions, props?: Partial<InferenceEndpointProps>) =>
    functionsOf(templateOf(gpu, props)).map(({ ReservedConcurrentExecutions }) => ReservedConcurrentExecutions);

  test('follows what the options say', () => {
    expect(reservations({}, { reservedConcurrentExecutions: 50 })).toEqual([50, 100]);
    expect(reservations({ router: { reservedConcurrentExecutions: 8 } })).toEqual([30, 8]);
    expect(reservations({}, { provisionedConcurrency: { min: 40, max: 70 } })).toEqual([70, 140]);
  });

  test('leaves the hook some for a new version, which has no provisioned environments yet', () => {
    const provisionedConcurrency = { min: 70 };
    const functionOf = (deployment: InferenceDeployment) =>
      endpointWith({}, { provisionedConcurrency, deployment }).endpoint.functions.get('faces')?.function.node
        .defaultChild;
    expect(functionOf(InferenceDeployment.canary())).toMatchObject({ reservedConcurrentExecutions: 75 });
    expect(functionOf(InferenceDeployment.canary({ replay: false }))).toMatchObject({
      reservedConcurrentExecutions: 70,
    });
  });

  test('is not reserved where only the deployment knows how much has to be', () => {
    const min = Token.asNumber({ Ref: 'Environments' });
    expect(reservations({}, { provisionedConcurrency: { min } })).toEqual([undefined, undefined]);
  });

  test('is nobody’s own where the option says so, with a warning', () => {
    const { stack } = endpointWith({ reserveConcurrency: false });
    expect(functionsOf(Template.fromStack(stack)).map((properties) => properties.ReservedConcurrentExecutions)).toEqual(
      [undefined, undefined],
    );
    const warnings = Annotations.fromStack(stack).findWarning('*', Match.anyValue());
    expect(warnings.map(({ id }) => id)).toEqual(['/Vision/Vision/Gpu/faces/Router']);
  });

  test('of provisioned environments follows that of the function', () => {
    const template = templateOf({}, { provisionedConcurrency: { min: 2 } });
    expect(
      propertiesOf(template, 'AWS::Lambda::Alias').map(({ ProvisionedConcurrencyConfig: config }) => config),
    ).toEqual([{ ProvisionedConcurrentExecutions: 2 }, { ProvisionedConcurrentExecutions: 2 }]);
  });
});

test.each<[string | undefined, InferenceEndpointProps['gpu']]>([
  [undefined, undefined],
  ['no-jobs', {}],
  ['uploads', { queue: true, policy: { onGpuUnavailable: 'fail' } }],
  ['jobs', { queue: true }],
])('the function that answers for the server is told what its models have in front of them: %j', (routing, gpu) => {
  const stack = stackOf();
  const endpoint = new InferenceEndpoint(stack, 'Vision', { models: [faces], ...(gpu === undefined ? {} : { gpu }) });
  endpoint.addModel(modelOf({ name: 'cats' }), { gpu: false });
  const [list] = functionsOf(Template.fromStack(stack)).flatMap(
    ({ Environment }) => Object(Environment).Variables.CDK_ONNX_MODELS ?? [],
  );
  expect(JSON.parse(list)).toEqual([
    { name: 'faces', version: 1, ...(routing === undefined ? {} : { routing }) },
    { name: 'cats', version: 1 },
  ]);
});

describe('a model that is added', () => {
  test('has the GPU of the endpoint, one of its own, or none', () => {
    const { stack, endpoint } = endpointWith({ instanceType: 'ml.g6.xlarge', policy: { maxCpuBatch: 4 } });
    endpoint.addModel(modelOf({ name: 'cats' }));
    endpoint.addModel(modelOf({ name: 'dogs' }), { gpu: { instanceType: 'ml.g4dn.xlarge', queue: true } });
    endpoint.addModel(modelOf({ name: 'birds' }), { gpu: false });
    const template = Template.fromStack(stack);
    expect(instancesOf(template)).toEqual(['ml.g6.xlarge', 'ml.g6.xlarge', 'ml.g4dn.xlarge', 'ml.g4dn.xlarge']);
    expect([...endpoint.routers.keys()]).toEqual(['faces', 'cats', 'dogs']);
    expect(endpoint.routers.get('dogs')?.policy).toMatchObject({ maxCpuBatch: 4, onGpuUnavailable: 'queue' });
    expect(endpoint.routers.get('cats')?.gpuQueue).toBeUndefined();
    const targets = propertiesOf(template, 'AWS::ApiGatewayV2::Integration').map(
      ({ IntegrationUri }) => IntegrationUri,
    );
    expect(targets.map((uri) => /Router|Models/.exec(JSON.stringify(uri))?.[0])).toEqual([
      'Router',
      'Router',
      'Router',
      'Models',
    ]);
    const [birds] = functionsOf(template).filter(({ Description }) => String(Description).includes('birds'));
    expect(birds).not.toHaveProperty('ReservedConcurrentExecutions');
  });

  test('may be the only one with a GPU', () => {
    const stack = stackOf();
    const endpoint = new InferenceEndpoint(stack, 'Vision', { models: [faces] });
    endpoint.addModel(modelOf({ name: 'cats' }), { gpu: {} });
    Template.fromStack(stack).resourceCountIs('AWS::SageMaker::Endpoint', 1);
    expect([...endpoint.routers.keys()]).toEqual(['cats']);
  });
});

describe('is refused', () => {
  test.each<[string, InferenceGpuOptions, Partial<InferenceEndpointProps>]>([
    ['GPU_WITHOUT_ENDPOINT', { realTime: false }, {}],
    ['STREAMING_WITH_ROUTER', {}, { apiType: 'rest', streaming: true }],
    ['API_TIMEOUT_BELOW_ROUTER', {}, { apiTimeout: Duration.millis(1_099) }],
    ['API_TIMEOUT_BELOW_ROUTER', { policy: { timeout: 9_500 } }, { apiTimeout: Duration.seconds(10) }],
    ['POLICY_INVALID', { policy: { extraLoad: 1 } }, {}],
    ['POLICY_QUEUE_MISSING', { policy: { onGpuUnavailable: 'queue' }, queue: false }, {}],
    ['MEMORY_SIZE_INVALID', { router: { memorySize: 128 } }, {}],
  ])('%s: %j', (code, gpu, props) => {
    expect(refusalOf(() => endpointWith(gpu, props)).code).toBe(code);
  });

  test('with the problems of all parts at once', () => {
    const { message } = refusalOf(() =>
      endpointWith({ instanceType: 'ml.c5.large', router: { memorySize: 1 }, queue: { scaling: { maxInstances: 0 } } }),
    );
    for (const text of ['ml.c5.large', 'memorySize is 1', 'maxInstances']) expect(message).toContain(text);
    expect(message.split('\n').filter((line) => line.includes('ml.c5.large'))).toHaveLength(1);
  });

  test('for a model without a variant for a GPU, with what to write into its model.json', () => {
    const directory = join(mkdtempSync(join(folder, 'model-')), 'echo');
    mkdirSync(directory);
    writeFileSync(join(directory, 'source.onnx'), echoModel([{ name: 'x', dataType: 'float32', shape: [1, 2] }]).bytes);
    writeFileSync(join(directory, 'model.json'), JSON.stringify({ name: 'echo', source: 'source.onnx' }));
    const refusal = refusalOf(() => endpointWith({}, { models: [Model.fromDirectory(directory)] }));
    expect(refusal).toMatchObject({
      code: 'GPU_NOT_CONFIGURED',
      message: expect.stringContaining('has no "gpu" section'),
      advice: expect.stringContaining('"gpu": { "precision": "fp16" }'),
    });
  }, 60_000);
});
