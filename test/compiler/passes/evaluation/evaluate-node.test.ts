import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Attribute, attribute } from '../../../../lib/compiler/ir/attribute.js';
import { elementTypeNumber } from '../../../../lib/compiler/ir/element-type.js';
import { Graph } from '../../../../lib/compiler/ir/graph.js';
import { Model } from '../../../../lib/compiler/ir/model.js';
import { Node } from '../../../../lib/compiler/ir/node.js';
import { printGraph } from '../../../../lib/compiler/ir/print.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { Value } from '../../../../lib/compiler/ir/value.js';
import { EVALUATORS, evaluateNode } from '../../../../lib/compiler/passes/evaluation/evaluate-node.js';
import { difference, fromOrt, toOrt } from '../../../support/compare-outputs.js';
import { OPERATOR_CASES, type OperatorCase } from '../../../support/operator-cases.js';
import { Choices } from '../../../support/random-graph/choices.js';
import { openModel } from '../../../support/run-model.js';

/** Opsets in which operators have their inputs and attributes in different places. */
const OPSETS = [9, 11, 13, 18, 21];
const FIRST_OPSET: Readonly<Record<string, number>> = {
  CastLike: 15,
  GatherElements: 11,
  GatherND: 11,
  GreaterOrEqual: 12,
  LessOrEqual: 12,
  Mod: 10,
  Range: 11,
  Round: 11,
  ScatterND: 11,
  Trilu: 14,
  IsInf: 10,
  Slice: 10,
};

/** One node whose inputs are the model's: nothing for onnxruntime to fold. */
function modelOf(
  opType: string,
  { inputs, attributes, outputs }: OperatorCase,
  opset: number,
): { model: Model; node: Node } {
  const graph = new Graph('one');
  const values = inputs.map((tensor, index) =>
    tensor === undefined
      ? undefined
      : graph.addInput(`x${index}`, { kind: 'tensor', elementType: tensor.elementType, shape: tensor.dims }),
  );
  const results = Array.from({ length: outputs }, (_, index) => new Value(`y${index}`));
  const node = new Node(opType, values, results, { attributes });
  graph.append(node);
  graph.setOutputs(results);
  return { model: new Model(graph, new Map([['', opset]]), { irVersion: opset >= 21 ? 10 : 8 }), node };
}

/** What onnxruntime computes; undefined where it has no kernel for the types; an Error where it refuses the values. */
async function onnxruntimeOutputs(model: Model, { inputs }: OperatorCase): Promise<Tensor[] | Error | undefined> {
  try {
    const session = await openModel(modelToBytes(model));
    const feeds = Object.fromEntries(
      inputs.flatMap((tensor, index) => (tensor === undefined ? [] : [[`x${index}`, toOrt(tensor)]])),
    );
    const results = await session.run(feeds);
    await session.release();
    return session.outputNames.map((name) => fromOrt(results[name] ?? expect.fail(name)));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return /NOT_IMPLEMENTED|Could not find an implementation|Type Error|not support/i.test(message)
      ? undefined
      : new Error(message);
  }
}

describe('evaluating a node', () => {
  it('has cases for every operator that it evaluates', () => {
    expect(Object.keys(OPERATOR_CASES).sort()).toEqual(Object.keys(EVALUATORS).sort());
  });

  it.each(Object.entries(OPERATOR_CASES))('%s gives what onnxruntime gives, bit for bit', async (opType, generate) => {
    let compared = 0;
    const opsets = OPSETS.filter((opset) => opset >= (FIRST_OPSET[opType] ?? 9));
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 1_000_000 }), fc.constantFrom(...opsets), async (seed, opset) => {
        const operatorCase = generate(new Choices(seed), opset);
        const { model, node } = modelOf(opType, operatorCase, opset);
        const evaluation = evaluateNode(node, operatorCase.inputs, { opset, maximumBytes: 1 << 20 });
        // Declined: left to onnxruntime. Some of these it would even crash on.
        if (evaluation.kind === 'declined') return;
        const expected = await onnxruntimeOutputs(model, operatorCase);
        if (expected === undefined) return;
        if (expected instanceof Error)
          throw new Error(
            `onnxruntime refuses what was evaluated: ${expected.message}\n${describeCase(model, operatorCase)}`,
          );
        for (const [index, tensor] of expected.entries()) {
          const actual = evaluation.outputs[index];
          const found = actual === undefined ? 'missing' : difference(actual, tensor);
          if (found !== undefined) throw new Error(`output ${index}: ${found}\n${describeCase(model, operatorCase)}`);
        }
        compared++;
      }),
      { seed: 1, numRuns: 100 },
    );
    expect(compared).toBeGreaterThan(10);
  });

  const int64 = (...values: bigint[]) => Tensor.fromTyped('int64', [values.length], BigInt64Array.from(values));
  const to = (elementType: 'float32' | 'float16' | 'int8') => ({ to: attribute.int(elementTypeNumber(elementType)) });

  it.each<[string, string, readonly Tensor[], Record<string, Attribute>]>([
    [
      'rounds 64-bit integers once',
      'Cast',
      [int64(2n ** 62n + 2n ** 38n, 2n ** 62n + 2n ** 38n + 1n, -(2n ** 62n) - 2n ** 38n - 1n)],
      to('float32'),
    ],
    [
      'rounds float64 to float16 by way of float32',
      'Cast',
      [Tensor.fromNumbers('float64', [2], [1 + 2 ** -11 + 2 ** -40, 1 - 2 ** -12 - 2 ** -40])],
      to('float16'),
    ],
    ['wraps integers', 'Cast', [int64(200n, -129n, 2n ** 62n + 5n)], to('int8')],
    [
      'multiplies 32-bit integers exactly',
      'Mul',
      [Tensor.fromNumbers('int32', [2], [2 ** 31 - 1, -(2 ** 31)]), Tensor.fromNumbers('int32', [2], [2 ** 31 - 1, 3])],
      {},
    ],
    [
      'adds float32 in float32',
      'Add',
      [Tensor.fromNumbers('float32', [1], [16_777_216]), Tensor.fromNumbers('float32', [2], [1, 1.0000001])],
      {},
    ],
    [
      'keeps the payload of a NaN that it moves',
      'Transpose',
      [Tensor.fromTyped('float32', [1, 1], new Float32Array(Uint32Array.of(0x7fc12345).buffer))],
      {},
    ],
  ])('%s', async (_, opType, inputs, attributes) => {
    const operatorCase = { inputs, attributes, outputs: 1 };
    const { model, node } = modelOf(opType, operatorCase, 18);
    const evaluation = evaluateNode(node, inputs, { opset: 18, maximumBytes: 1024 });
    const expected = await onnxruntimeOutputs(model, operatorCase);
    const bytes = evaluation.kind === 'evaluated' ? evaluation.outputs[0]?.bytes() : evaluation.reason;
    expect(bytes).toEqual(Array.isArray(expected) ? expected[0]?.bytes() : expected);
  });

  it('takes no memory for an output that is too large', () => {
    const sizes = [2n ** 40n, 2n ** 62n].map((size) => int64(size, size));
    for (const size of sizes) {
      const { node } = modelOf('ConstantOfShape', { inputs: [size], attributes: {}, outputs: 1 }, 18);
      expect(evaluateNode(node, [size], { opset: 18, maximumBytes: 1024 }).kind).toBe('declined');
    }
    const bounds = [0, 2 ** 50, 1].map((bound) => Tensor.int64([bound], []));
    const { node } = modelOf('Range', { inputs: bounds, attributes: {}, outputs: 1 }, 18);
    expect(evaluateNode(node, bounds, { opset: 18, maximumBytes: 1024 }).kind).toBe('declined');
  });

  it('declines what is malformed instead of throwing', () => {
    const vector = Tensor.fromNumbers('float32', [2], [1, 2]);
    const cases: [string, (Tensor | undefined)[], Record<string, Attribute>][] = [
      ['Gather', [vector, Tensor.int64([2])], {}],
      ['Gather', [vector], {}],
      ['Reshape', [vector, Tensor.int64([3])], {}],
      ['Reshape', [vector, Tensor.int64([-1, 0])], {}],
      ['Reshape', [vector, vector], {}],
      ['Transpose', [vector], { perm: attribute.ints([0, 0]) }],
      ['Squeeze', [vector, Tensor.int64([0])], {}],
      ['Slice', [vector, Tensor.int64([0]), Tensor.int64([1]), Tensor.int64([5])], {}],
      ['Add', [vector, Tensor.fromNumbers('float32', [3], [1, 2, 3])], {}],
      ['Concat', [vector, Tensor.fromNumbers('float32', [1, 1], [1])], { axis: attribute.int(0) }],
      ['Cast', [vector], {}],
      ['Range', [vector, vector, vector], {}],
      ['ConstantOfShape', [Tensor.int64([-3])], {}],
    ];
    for (const [opType, inputs, attributes] of cases) {
      const { node } = modelOf(opType, { inputs, attributes, outputs: 1 }, 18);
      expect([opType, evaluateNode(node, inputs, { opset: 18, maximumBytes: 1024 }).kind]).toEqual([
        opType,
        'declined',
      ]);
    }
  });
});

function describeCase(model: Model, { inputs }: OperatorCase): string {
  const values = inputs.map((tensor) =>
    tensor?.storage.kind === 'bytes' ? `${tensor.elementType}[${tensor.dims}] ${tensor.typed()}` : 'strings',
  );
  return `opset ${model.opset} ${printGraph(model.graph)}${values.join('\n')}`;
}
