import { Template } from 'aws-cdk-lib/assertions';
import { EndpointType, Period } from 'aws-cdk-lib/aws-apigateway';
import type { UserPool } from 'aws-cdk-lib/aws-cognito';
import { App, Duration, Stack, Token } from 'aws-cdk-lib/core';
import { describe, expect, test } from 'vitest';
import { type HttpApiOptions, InferenceApi, InferenceAuth, InferenceFunction } from '../../lib/constructs/index.js';
import { certificate, checkCaller, type RestOptions, restEndpoints } from '../support/rest-endpoints.js';

const { outdir, faces, endpointWith, restWith, templateOf } = restEndpoints();

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
