/** Limits that no validator of templates knows: refused at synth with advice, and asserted of what is synthesized. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { Code, LayerVersion } from 'aws-cdk-lib/aws-lambda';
import { App, CfnResource, Duration, Stack, Token } from 'aws-cdk-lib/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  InferenceEndpoint,
  InferenceFunction,
  type InferenceFunctionOptions,
  Model,
} from '../../lib/constructs/index.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';
import { beyondLimits, LIMITS } from '../support/deployment-limits.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-limits-'));
const outdir = join(folder, 'cdk.out');
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = (name = 'faces') => Model.fromArtifact(writeArtifactFolder(folder, { name }));
const faces = (options: InferenceFunctionOptions = {}) => {
  const stack = new Stack(new App({ outdir }), 'Vision');
  return { stack, faces: new InferenceFunction(stack, 'Faces', { model: model(), ...options }) };
};
const errorOf = (run: () => unknown): { readonly code?: string; readonly message: string } => {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was refused');
};

describe('the environment of a function', () => {
  /** What Lambda measures of `{ LARGE: value }`. */
  const FRAME = JSON.stringify({ LARGE: '' }).length;

  test('of 4,096 bytes, written as JSON, is refused beyond that, together with whatever else is wrong', () => {
    const { code, message } = errorOf(() =>
      faces({ memorySize: 1, environment: { AWS_REGION: 'x', LARGE: 'é'.repeat(2048), NODE_PATH: '/opt' } }),
    );
    expect(code).toBe('SEVERAL_PROBLEMS');
    expect(
      message
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(':')[0]),
    ).toEqual([
      'MEMORY_SIZE_INVALID',
      'ENVIRONMENT_VARIABLE_NAME',
      'ENVIRONMENT_VARIABLE_TAKEN',
      'ENVIRONMENT_TOO_LARGE',
    ]);
  });

  test.each([
    ['counts bytes, not characters', 'é'.repeat((4096 - FRAME) / 2), 4096],
    ['counts what JSON escapes', '"'.repeat((4096 - FRAME) / 2), 4096],
  ])('%s', (_, value, bytes) => {
    expect(Buffer.byteLength(JSON.stringify({ LARGE: value }))).toBe(bytes);
    expect(() => faces({ environment: { LARGE: value } })).not.toThrow();
    expect(() => faces({ environment: { LARGE: `${value}xx` } })).toThrow(
      expect.objectContaining({
        code: 'ENVIRONMENT_TOO_LARGE',
        message: expect.stringContaining(`${bytes + 2} bytes`),
      }),
    );
  });

  test('is refused exactly beyond the limit, whatever is in it', () => {
    const variables = fc.dictionary(
      fc.stringMatching(/^[A-Z]{2,12}$/),
      fc.string({ unit: 'grapheme', maxLength: 900 }),
      {
        maxKeys: 9,
      },
    );
    fc.assert(
      fc.property(variables, (environment) => {
        const tooLarge = Buffer.byteLength(JSON.stringify(environment)) > 4096;
        const refused = (() => {
          try {
            faces({ environment, memorySize: 1 });
          } catch (error) {
            return String(error).includes('ENVIRONMENT_TOO_LARGE');
          }
          return false;
        })();
        expect(refused).toBe(tooLarge);
      }),
      { numRuns: 50 },
    );
  });

  test('is refused at synth for what comes to it later, with what the function needs itself', () => {
    const { stack } = faces({ environment: { LARGE: 'x'.repeat(3000) } });
    expect(() => Template.fromStack(stack)).not.toThrow();
    const other = faces({ environment: { LARGE: 'x'.repeat(3000) } });
    other.faces.function.addEnvironment('MORE', 'x'.repeat(1050));
    const { message } = errorOf(() => Template.fromStack(other.stack));
    expect(message).toMatch(
      /ENVIRONMENT_TOO_LARGE: Vision\/Faces\/Function\/Resource's environment has 4\d{3} bytes.*Lambda takes 4096/,
    );
  });

  test('of an endpoint with so many models that their list is too large is refused at synth', () => {
    const stack = new Stack(new App({ outdir }), 'Vision');
    const endpoint = new InferenceEndpoint(stack, 'Vision', {
      models: [model()],
      environment: { LARGE: 'x'.repeat(3900) },
    });
    endpoint.addModel(model('n'.repeat(63)), { environment: {} });
    const { message } = errorOf(() => Template.fromStack(stack));
    // The first function has the list; the other one is not too large.
    expect(message.match(/ENVIRONMENT_TOO_LARGE: \S+/g)).toEqual([
      "ENVIRONMENT_TOO_LARGE: Vision/Vision/Models/faces/Function/Resource's",
    ]);
  });

  test('may hold what only the deployment knows', () => {
    const value = Token.asString({ Ref: 'Large' });
    const { stack } = faces({ environment: { LARGE: `${'x'.repeat(5000)}${value}` } });
    expect(() => Template.fromStack(stack)).not.toThrow();
  });

  test.each(['AWS_REGION', 'AWS_LAMBDA_RUNTIME_API', 'LAMBDA_TASK_ROOT', '_HANDLER', 'A', 'A-B', ''])(
    'has no variable %o',
    (name) => {
      expect(() => faces({ environment: { [name]: 'x' } })).toThrow(
        expect.objectContaining({ code: 'ENVIRONMENT_VARIABLE_NAME' }),
      );
    },
  );

  test.each(['AWS_LAMBDA_EXEC_WRAPPER', 'NODE_OPTIONS', 'TZ'])('may have the variable %s', (name) => {
    expect(() => faces({ environment: { [name]: '/opt/x' } })).not.toThrow();
  });
});

test.each([1500, 900_001, 0, 999])('a timeout of %d ms is refused once', (milliseconds) => {
  const { code, message } = errorOf(() => faces({ timeout: Duration.millis(milliseconds) }));
  expect(code).toBe('TIMEOUT_INVALID');
  expect(message).toContain(`timeout is ${milliseconds / 1000} s`);
});

test('a sixth layer is refused', () => {
  const { stack, faces: inferenceFunction } = faces();
  const layer = (index: number) =>
    new LayerVersion(stack, `Layer${index}`, {
      code: Code.fromAsset(join(import.meta.dirname, '../fixtures/functions')),
    });
  inferenceFunction.function.addLayers(layer(0), layer(1), layer(2));
  expect(beyondLimits(Template.fromStack(stack))).toEqual([]);
  expect(() => inferenceFunction.function.addLayers(layer(3))).toThrow(/5 layers/);
});

describe('the longest names and the most models', () => {
  test('make nothing that is too long', () => {
    const stack = new Stack(new App({ outdir }), 'S'.repeat(128));
    const name = (index: number) => `m${index}`.padEnd(63, 'm');
    const models = Array.from({ length: 10 }, (_, index) => model(name(index)));
    new InferenceEndpoint(stack, 'E'.repeat(60), { models, keepVersions: 2 });
    const template = Template.fromStack(stack);
    expect(beyondLimits(template)).toEqual([]);
    template.hasOutput('*', { Description: `Inference endpoint for ${models.map((of) => of.name).join(', ')}` });
  });

  test('are counted where their names do not fit', () => {
    const stack = new Stack(new App({ outdir, context: { '@aws-cdk/core:stackResourceLimit': 0 } }), 'Vision');
    const models = Array.from({ length: 17 }, (_, index) => model(`m${index}`.padEnd(63, 'm')));
    const endpoint = new InferenceEndpoint(stack, 'Vision', { models });
    expect(endpoint.urlOutput.description).toBe('Inference endpoint for 17 models');
  });
});

describe('the assertions themselves', () => {
  const templateOf = (type: string, properties: object) => {
    const stack = new Stack(new App({ outdir }), 'Broken');
    new CfnResource(stack, 'Broken', { type, properties: { ...properties } });
    return Template.fromStack(stack);
  };
  const nested = (path: string, value: unknown) =>
    path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as object;
  const tooMuch: Readonly<Record<string, unknown>> = {
    MemorySize: 20_000,
    Timeout: 901,
    ReservedConcurrentExecutions: -1,
    'EphemeralStorage.Size': 511,
    'Environment.Variables': { LARGE: 'x'.repeat(4096) },
    'VpcConfig.SubnetIds': Array(17).fill('subnet'),
    'VpcConfig.SecurityGroupIds': Array(6).fill('sg'),
    Layers: Array(6).fill('layer'),
    TimeoutInMillis: 60_000,
    PayloadFormatVersion: '3.0',
    AuthorizerResultTtlInSeconds: 3601,
    AuthorizerPayloadFormatVersion: '1.0',
    Policies: [{ PolicyName: 'x'.repeat(10_240) }],
    PolicyDocument: { Statement: ['x'.repeat(10_240)] },
  };
  const cases = Object.entries(LIMITS).flatMap(([type, limits]) =>
    Object.keys(limits).map((property) => [type, property] as const),
  );

  test.each(cases)('find a wrong %s.%s', (type, property) => {
    const value = tooMuch[property] ?? 'x'.repeat(1025);
    expect(beyondLimits(templateOf(type, nested(property, value)))).toEqual([
      expect.stringMatching(new RegExp(`^Broken\\.${property.replace('.', '\\.')} `)),
    ]);
    expect(beyondLimits(templateOf(type, nested(property, { Ref: 'AWS::Region' })))).toEqual([]);
  });
});
