import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { countOperators } from '../../../lib/compiler/ir/summary.js';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { binary, clip, unary } from '../../../lib/compiler/lowering/elementwise.js';
import { dense } from '../../../lib/compiler/lowering/matrix.js';
import { reshape, squeeze, toChannelsFirst, toChannelsLast } from '../../../lib/compiler/lowering/rearrange.js';
import { shapeOf } from '../../../lib/compiler/lowering/shape.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { conversion, normalize } from '../../../lib/compiler/passes/presets.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { inferTypes } from '../../../lib/compiler/runtime/infer-types.js';
import { ChannelsLastNetwork, randomFloats } from '../../support/channels-last-network.js';
import { largestRelativeDifference, toOrtFeeds } from '../../support/compare-outputs.js';
import { countTransposes } from '../../support/count-transposes.js';
import { expectEquivalentOnRandomGraphs } from '../../support/expect-equivalent.js';
import { optimizedModel } from '../../support/optimized-graph.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { realModels } from '../../support/real-models.js';
import { runModel } from '../../support/run-model.js';

const float = (shape: readonly (number | string | undefined)[]) => ({ elementType: 'float32', shape }) as const;

/** Convolutions with batch normalization, a residual connection, squeeze-and-excite, a classifier: what Keras's applications are made of. */
function classifier() {
  const network = new ChannelsLastNetwork();
  const { builder } = network;
  const normalized = (x: Value) => {
    const first = toChannelsFirst(builder, x);
    const channels = shapeOf(first)[1] as number;
    const vectors = [network.random([channels]), network.random([channels]), network.random([channels])];
    const variance = builder.floats(new Float32Array(channels).fill(0.5));
    return toChannelsLast(
      builder,
      builder.node('BatchNormalization', [first, ...vectors, variance], float(shapeOf(first))),
    );
  };
  const activated = (x: Value) => clip(builder, x, 0, 6);
  const pooled = (x: Value) => {
    const first = toChannelsFirst(builder, x);
    const [batch, channels] = shapeOf(first);
    return builder.node('GlobalAveragePool', [first], float([batch, channels, 1, 1]));
  };
  const x = network.input('x', ['N', 16, 16, 3]);
  const rescaled = binary(builder, 'Sub', binary(builder, 'Mul', x, builder.scalar(1 / 127.5)), builder.scalar(1));
  const stem = activated(normalized(network.convolution(rescaled, 8)));
  const block = normalized(network.convolution(stem, 8));
  const rows = reshape(builder, squeeze(builder, pooled(block), [2, 3]), [-1, 1, 1, 8]);
  const gate = unary(builder, 'Sigmoid', network.convolution(rows, 8));
  const residual = activated(binary(builder, 'Add', stem, binary(builder, 'Mul', block, gate)));
  const padded = builder.node(
    'Pad',
    [residual, builder.int64([0, 1, 1, 0, 0, 1, 1, 0]), builder.scalar(0)],
    float(['N', 18, 18, 8]),
  );
  const first = toChannelsFirst(builder, padded);
  const attributes = { kernel_shape: attribute.ints([3, 3]), strides: attribute.ints([2, 2]) };
  const smaller = builder.node('MaxPool', [first], float(['N', 8, 8, 8]), { attributes });
  const features = squeeze(builder, pooled(toChannelsLast(builder, smaller)), [2, 3]);
  const scores = dense(builder, features, network.random([8, 10], 'kernel'), network.random([10], 'bias'));
  return builder.finish([{ name: 'scores', value: scores }]);
}

describe('conversion', () => {
  it('makes a clean graph of a network of the usual parts', async () => {
    const model = classifier();
    const feeds = toOrtFeeds({ x: randomFloats([3, 16, 16, 3], 5) });
    const expected = await runModel(modelToBytes(model), feeds);
    await runPasses(model, conversion());
    expect(largestRelativeDifference(await runModel(modelToBytes(model), feeds), expected)).toBeLessThan(1e-5);
    expect(Object.fromEntries(countOperators(model))).toEqual({
      Add: 2,
      Clip: 2,
      Conv: 3,
      GlobalAveragePool: 2,
      MatMul: 1,
      MaxPool: 1,
      Mul: 2,
      Sigmoid: 1,
      Squeeze: 1,
      Sub: 1,
      Transpose: 1,
    });
  });

  it('has nothing left to do the second time', async () => {
    const model = classifier();
    await runPasses(model, conversion());
    const bytes = modelToBytes(model);
    expect((await runPasses(model, conversion())).modified).toEqual([]);
    expect(Buffer.compare(modelToBytes(model), bytes)).toBe(0);
  });

  it.each(['blazefaceBack', 'blazefaceFront'] as const)(
    'takes out of %s, which was channels-last once, all that onnxruntime does',
    async (name) => {
      const model = await readOnnx(realModels[name]);
      const feeds = realModelFeeds(name);
      const bytes = modelToBytes(model);
      const [before, theirs] = [countTransposes(model), countTransposes(await optimizedModel(bytes, 'basic'))];
      await runPasses(model, normalize());
      await inferTypes(model);
      await runPasses(model, conversion());
      expect(countTransposes(model)).toBeLessThanOrEqual(Math.min(before, theirs));
      const [actual, expected] = [await runModel(modelToBytes(model), feeds), await runModel(bytes, feeds)];
      expect(largestRelativeDifference(actual, expected)).toBeLessThan(1e-5);
    },
  );

  it('random channels-last graphs compute the same within 1e-5', { timeout: 240_000 }, () =>
    expectEquivalentOnRandomGraphs(conversion(), {
      opsets: [18],
      channelsLast: true,
      maximumOperations: 16,
      runs: 200,
      seed: 31,
      tolerance: 1e-5,
    }),
  );
});
