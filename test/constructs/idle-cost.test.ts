/** The note at synth: there for what costs without a request, once, and silent otherwise. */
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { CfnParameter } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { describe, expect, test } from 'vitest';
import { IdleCost } from '../../lib/constructs/idle-cost.js';
import { asynchronous, faces, modelOf, realTime, stackOf } from '../support/gpu-endpoints.js';
import { refusalOf } from '../support/refusal.js';

const notesOf = (stack: ReturnType<typeof stackOf>) =>
  Annotations.fromStack(stack)
    .findInfo('*', Match.stringLikeRegexp('without a request'))
    .map(({ id, entry }) => [id, String(entry.data)]);

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
