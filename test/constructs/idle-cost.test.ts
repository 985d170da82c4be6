/** The note at synth: there for what costs without a request, once, and silent otherwise. */
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { CfnParameter } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { describe, expect, test } from 'vitest';
import { IdleCost } from '../../lib/constructs/idle-cost.js';
import { InferenceEndpoint, InferenceFunction, type InferenceFunctionProps } from '../../lib/constructs/index.js';
import { asynchronous, faces, modelOf, realTime, stackOf } from '../support/gpu-endpoints.js';
import { refusalOf } from '../support/refusal.js';

const notesOf = (stack: ReturnType<typeof stackOf>) =>
  Annotations.fromStack(stack)
    .findInfo('*', Match.stringLikeRegexp('without a request'))
    // Behind what is said CDK writes how to acknowledge it.
    .map(({ id, entry }) => [id, String(entry.data).replace(/ \[ack: .*\]$/, '')]);

describe('a GPU', () => {
  test('that answers at once is there all the time, with its variants', () => {
    const { stack } = realTime({
      scaling: { minInstances: 2 },
      variants: [{ name: 'candidate', model: faces, instanceType: 'ml.g4dn.xlarge' }],
    });
    const [note, ...others] = notesOf(stack);
    expect([note?.[0], others]).toEqual(['/Vision/Gpu', []]);
    // A candidate without bounds of its own has those of the endpoint.
    expect(note?.[1]).toMatch(
      /^Costs \$3,130\.82 a month without a request: 2 × ml\.g5\.xlarge \$2,055\.68, 2 × ml\.g4dn\.xlarge \$1,075\.14\./,
    );
  });

  test('counts its shadow, whose number is fixed', () => {
    const { stack } = realTime({ shadow: { model: modelOf(), instances: 3 } });
    expect(notesOf(stack)[0]?.[1]).toMatch(/1 × ml\.g5\.xlarge \$1,027\.84, 3 × ml\.g5\.xlarge \$3,083\.52/);
  });

  test('with a queue costs nothing, unless an instance stays', () => {
    expect(notesOf(asynchronous().stack)).toEqual([]);
    expect(notesOf(asynchronous({ scaling: { minInstances: 1 } }).stack)).toHaveLength(1);
  });

  test('whose instance only the deployment knows is left out', () => {
    const stack = stackOf();
    realTime({ instanceType: new CfnParameter(stack, 'Instance').valueAsString }, stack);
    expect(notesOf(stack)).toEqual([]);
  });

  test('has the prices of the context', async () => {
    const priced = (prices: unknown) => {
      const stack = stackOf();
      stack.node.setContext('cdk-onnx:prices', prices);
      return realTime({}, stack).stack;
    };
    const mine = { date: '2027-01', region: 'eu-west-1', sageMaker: { perInstanceHour: { 'ml.g5.xlarge': 2 } } };
    expect(notesOf(priced(mine))[0]?.[1]).toMatch(/\$1,460\.00.*Prices of eu-west-1, 2027-01/);
    expect((await refusalOf(() => notesOf(priced({ sagemaker: {} })))).code).toBe('PRICES_INVALID');
  });
});

describe('a function', () => {
  const noteOf = (options: Partial<InferenceFunctionProps>) => {
    const stack = stackOf();
    new InferenceFunction(stack, 'Faces', { model: faces, ...options });
    return notesOf(stack);
  };

  test('that is paid by the request is not told of', () => {
    expect(noteOf({})).toEqual([]);
  });

  test('with environments that are kept ready is', () => {
    const [note, ...others] = noteOf({
      memorySize: 2048,
      architecture: Architecture.X86_64,
      provisionedConcurrency: { min: 2, max: 5 },
    });
    expect(others).toEqual([]);
    expect(note?.[0]).toBe('/Vision/Faces');
    // 2 × 2 GB × 2,628,000 s × $0.0000041667
    expect(note?.[1]).toMatch(
      /^Costs \$43\.80 a month without a request: 2 environments of .* kept ready, 2048 MB, \$43\.80\./,
    );
  });
});

test('an endpoint tells once, of its functions, its router and its GPUs', () => {
  const stack = stackOf();
  new InferenceEndpoint(stack, 'Endpoint', {
    models: [faces],
    memorySize: 1024,
    provisionedConcurrency: { min: 1 },
    gpu: { queue: true },
  });
  const notes = notesOf(stack);
  expect(notes.map(([id]) => id)).toEqual(['/Vision/Endpoint']);
  const modelName = faces.name;
  expect(notes[0]?.[1]).toBe(
    `Costs $1,045.36 a month without a request: 1 environment of ${modelName} kept ready, 1024 MB, $8.76, ` +
      `1 × ml.g5.xlarge $1,027.84, 1 environment of the router of ${modelName} kept ready, 1024 MB, $8.76. ` +
      `A million requests of 100 ms add $0.98 in ${modelName}, $0.98 in the router of ${modelName}. ` +
      'Prices of us-east-1, 2026-11; `cdk-onnx cost` compares.',
  );
});

describe('what lies in one construct', () => {
  test('is told of once, there', () => {
    const stack = stackOf();
    const endpoint = new Construct(stack, 'Endpoint');
    IdleCost.gatherAt(endpoint);
    const inner = new Construct(endpoint, 'Inner');
    const environments = { kind: 'environments', name: 'faces', architecture: 'arm64', memorySize: 1024 } as const;
    IdleCost.add(inner, { ...environments, count: 1 });
    IdleCost.add(new Construct(endpoint, 'Other'), { kind: 'instances', instanceType: 'ml.g5.xlarge', count: 1 });
    IdleCost.add(new Construct(endpoint, 'Idle'), { ...environments, count: 0 });
    const notes = notesOf(stack);
    expect(notes.map(([id]) => id)).toEqual(['/Vision/Endpoint']);
    expect(notes[0]?.[1]).toMatch(
      /^Costs \$1,036\.60 a month without a request: 1 environment of faces.*ml\.g5\.xlarge/,
    );
  });

  test('and costs nothing, is not told of', () => {
    const stack = stackOf();
    IdleCost.gatherAt(new Construct(stack, 'Endpoint'));
    expect(notesOf(stack)).toEqual([]);
  });
});
