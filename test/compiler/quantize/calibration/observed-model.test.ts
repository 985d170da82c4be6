import fc from 'fast-check';
import type { OnnxValue, Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { ElementType } from '../../../../lib/compiler/ir/element-type.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { validate } from '../../../../lib/compiler/ir/validation.js';
import type { Value } from '../../../../lib/compiler/ir/value.js';
import { observeValues } from '../../../../lib/compiler/quantize/calibration/observed-model.js';
import { toOrtFeeds } from '../../../support/compare-outputs.js';
import { randomGraphs } from '../../../support/random-graph.js';
import { runModel } from '../../../support/run-model.js';

/** What every value of the main graph is, by running a model with all of them as outputs; their types are written into it. */
async function runAll(model: Model, feeds: Readonly<Record<string, OnnxValue>>, withShapes: boolean) {
  const { graph } = model;
  const computed = graph.nodes.flatMap(({ outputs }) => outputs).filter((value): value is Value => value !== undefined);
  const outputs = [...graph.outputs];
  graph.setOutputs([...outputs, ...computed.filter((value) => !value.isGraphOutput)]);
  const results = await runModel(modelToBytes(model), feeds);
  graph.setOutputs(outputs);
  const values = new Map<string, OrtTensor>();
  for (const value of computed) {
    const { type, dims } = (results[value.name] ?? {}) as OrtTensor;
    if (dims === undefined) continue;
    value.type = { kind: 'tensor', elementType: type as ElementType, shape: withShapes ? dims : undefined };
    values.set(value.name, results[value.name] as OrtTensor);
  }
  for (const input of graph.inputs) values.set(input.name, feeds[input.name] as OrtTensor);
  return values;
}

describe('observers', () => {
  it.each([true, false])(
    'tell extremes and elements of every float32 value of random graphs (shapes known: %s)',
    async (known) => {
      let observed = 0;
      await fc.assert(
        fc.asyncProperty(randomGraphs({ opsets: [11, 13, 17, 18, 21] }), async (recipe) => {
          const { model, feeds } = recipe.build();
          const ortFeeds = toOrtFeeds(feeds);
          const values = await runAll(model, ortFeeds, known);
          const before = modelToBytes(model);
          const names = [...values.keys()];
          const {
            model: copy,
            outputs,
            refused,
          } = observeValues(model, { values: names, keptOutputs: [], maxElements: 4 });
          expect(modelToBytes(model)).toEqual(before);
          for (const { value } of refused) {
            expect(values.get(value)?.type !== 'float32' || model.graph.initializers.size > 0, value).toBe(true);
          }
          if (outputs.size === 0) return;
          validate(copy);
          const results = await runModel(modelToBytes(copy), ortFeeds);
          for (const [output, name] of outputs) {
            const data = [...((values.get(name)?.data ?? []) as Float32Array)];
            const [min, max, ...elements] = (results[output] as OrtTensor).data as Float32Array;
            observed++;
            expect(elements.length, name).toBe(Math.min(4, data.length));
            const present = new Set(data.map(String));
            expect(
              elements.every((element) => present.has(String(element))),
              name,
            ).toBe(true);
            if (data.length <= 4) expect(elements, name).toEqual(data);
            if (data.some(Number.isNaN)) continue;
            // Which of the two zeros is smaller is nobody's business.
            expect([(min ?? 9) + 0, (max ?? 9) + 0], name).toEqual([Math.min(...data) + 0, Math.max(...data) + 0]);
          }
        }),
        { seed: 1, numRuns: 150 },
      );
      expect(observed).toBeGreaterThan(500);
    },
  );
});
