import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Graph } from '../../../../lib/compiler/ir/graph.js';
import { Model } from '../../../../lib/compiler/ir/model.js';
import { Node } from '../../../../lib/compiler/ir/node.js';
import { printGraph } from '../../../../lib/compiler/ir/print.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import type { Tensor } from '../../../../lib/compiler/ir/tensor.js';
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
      { seed: Number(process.env.SEED ?? 1), numRuns: Number(process.env.RUNS ?? 60) },
    );
    expect(compared).toBeGreaterThan(10);
  });
});

function describeCase(model: Model, { inputs }: OperatorCase): string {
  const values = inputs.map((tensor) =>
    tensor?.storage.kind === 'bytes' ? `${tensor.elementType}[${tensor.dims}] ${tensor.typed()}` : 'strings',
  );
  return `opset ${model.opset} ${printGraph(model.graph)}${values.join('\n')}`;
}
