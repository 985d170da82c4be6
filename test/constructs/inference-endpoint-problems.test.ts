import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { type App, Duration, Lazy, Token } from 'aws-cdk-lib/core';
import { describe, expect, test } from 'vitest';
import { InferenceAuth, type InferenceEndpointProps } from '../../lib/constructs/index.js';
import { httpEndpoints } from '../support/http-endpoints.js';
import { findingsOf } from '../support/option-combinations.js';

const { outdir, templateOf, vision } = httpEndpoints();

describe('wrong properties', () => {
  test.each<[string, Partial<InferenceEndpointProps>]>([
    ['NO_MODEL', { models: [] }],
    ['MEMORY_SIZE_INVALID', { memorySize: 20_000 }],
    ['MEMORY_SIZE_INVALID', { memorySize: 127 }],
    ['MEMORY_SIZE_INVALID', { memorySize: 1000.5 }],
    ['TIMEOUT_INVALID', { timeout: Duration.seconds(901) }],
    ['API_TIMEOUT_INVALID', { apiTimeout: Duration.seconds(60) }],
    ['API_TIMEOUT_INVALID', { apiTimeout: Duration.millis(40) }],
    ['ENVIRONMENT_VARIABLE_TAKEN', { environment: { CDK_ONNX_ARTIFACT: '/tmp' } }],
    ['ENVIRONMENT_VARIABLE_TAKEN', { environment: { CDK_ONNX_MODELS: '[]' } }],
    ['ENVIRONMENT_VARIABLE_NAME', { environment: { AWS_REGION: 'x' } }],
    ['ENVIRONMENT_VARIABLE_NAME', { environment: { '1BAD': 'x' } }],
    ['ARCHITECTURE_UNKNOWN', { architecture: Architecture.custom('riscv') }],
  ])('%s: %o', (code, props) => {
    expect(() => vision(props)).toThrow(expect.objectContaining({ code, name: 'SynthesisError' }));
  });

  test('are reported all at once, before anything is built', () => {
    const props = {
      memorySize: 20_000,
      timeout: Duration.seconds(901),
      apiTimeout: Duration.seconds(60),
      environment: { AWS_REGION: 'x' },
    };
    expect(() => vision(props)).toThrow(
      expect.objectContaining({
        code: 'SEVERAL_PROBLEMS',
        message: expect.stringMatching(
          /^Vision\/Vision: 4 problems\n {2}MEMORY_SIZE_INVALID: .*\n {2}TIMEOUT_INVALID: .*\n {2}ENVIRONMENT_VARIABLE_NAME: .*\n {2}API_TIMEOUT_INVALID: /,
        ),
      }),
    );
  });

  test('tokens are not validated', () => {
    const template = templateOf({
      memorySize: Token.asNumber({ Ref: 'Memory' }),
      timeout: Duration.seconds(Lazy.number({ produce: () => 7 })),
      environment: { VALUE: Token.asString({ Ref: 'AWS::Region' }) },
    });
    template.hasResourceProperties('AWS::Lambda::Function', { MemorySize: { Ref: 'Memory' }, Timeout: 7 });
  });
});

describe("cdk-nag's AwsSolutions rules and CDK's own validation of the template", () => {
  const findings = (props: Partial<InferenceEndpointProps>) => findingsOf(vision(props).stack.node.root as App, outdir);

  test('find nothing in an endpoint with defaults', () => {
    expect(findings({})).toEqual([]);
  });

  test('and the CDK has no warning either', () => {
    const { stack } = vision();
    const [warnings, errors] = [
      Annotations.fromStack(stack).findWarning('*', Match.anyValue()),
      Annotations.fromStack(stack).findError('*', Match.anyValue()),
    ];
    expect([warnings, errors]).toEqual([[], []]);
  });

  test('find an endpoint without authorization', () => {
    expect(findings({ auth: InferenceAuth.none() })).toContain('AwsSolutions-APIG4');
  });
});
