import type { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import type { Dimension } from '../../../lib/compiler/ir/value.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { staticPadding } from '../../../lib/compiler/passes/static-padding.js';
import { expectSameBits } from '../../support/before-and-after.js';
import { randomFloats } from '../../support/channels-last-network.js';
import { toOrtFeeds } from '../../support/compare-outputs.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { runModel } from '../../support/run-model.js';

interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation?: number;
}

function model(
  opType: 'Conv' | 'MaxPool' | 'AveragePool',
  padding: string,
  window: Window,
  shape: readonly Dimension[],
): Model {
  const { kernel, stride, dilation = 1 } = window;
  const b = new ModelBuilder(18);
  const x = b.input('x', shape);
  const attributes = {
    auto_pad: attribute.string(padding),
    kernel_shape: attribute.ints([kernel, kernel]),
    strides: attribute.ints([stride, stride]),
    ...(dilation === 1 ? {} : { dilations: attribute.ints([dilation, dilation]) }),
  };
  const weights = opType === 'Conv' ? [b.constant(randomFloats([2, 3, kernel, kernel], 5))] : [];
  return b.finish([b.add(opType, [x, ...weights], { attributes })]);
}

const feeds = (sizes: readonly number[]) => toOrtFeeds({ x: randomFloats([2, 3, ...sizes], 3) });
const padsOf = (of: Model) => of.graph.nodes[0]?.ints('pads');

describe('staticPadding', () => {
  // Of pools whose strides are wider than their windows onnxruntime makes negative padding, and refuses it.
  const windows = [1, 2, 3, 4, 5].flatMap((kernel) => [1, 2, 3].map((stride) => ({ kernel, stride })));
  const cases = (['Conv', 'MaxPool', 'AveragePool'] as const).flatMap((opType) =>
    ['SAME_UPPER', 'SAME_LOWER', 'VALID'].flatMap((padding) =>
      windows
        .filter(({ kernel, stride }) => opType === 'Conv' || padding === 'VALID' || kernel >= stride)
        .map((window) => ({
          opType,
          padding,
          window,
          title: `${opType} ${padding} ${window.kernel}/${window.stride}`,
        })),
    ),
  );

  it.each(cases)('$title pads as onnxruntime does, on odd and even sizes', async ({ opType, padding, window }) => {
    for (const sizes of [
      [7, 8],
      [5, 6],
    ]) {
      const padded = model(opType, padding, window, [2, 3, ...sizes]);
      await expectSameBits(padded, [staticPadding()], feeds(sizes));
      expect(padded.graph.nodes[0]?.attributes.has('auto_pad')).toBe(false);
    }
  });

  it('lets pools run whose strides are wider than their windows', async () => {
    const wide = model('MaxPool', 'SAME_UPPER', { kernel: 1, stride: 2 }, [2, 3, 6, 6]);
    await expect(runModel(modelToBytes(wide), feeds([6, 6]))).rejects.toThrow('non-negative');
    await runPasses(wide, [staticPadding()]);
    const [output] = Object.values(await runModel(modelToBytes(wide), feeds([6, 6])));
    expect((output as Tensor).dims).toEqual([2, 3, 3, 3]);
  });

  it('needs no sizes where there are no strides', async () => {
    const open = model('Conv', 'SAME_UPPER', { kernel: 4, stride: 1 }, ['N', 3, 'H', 'W']);
    await expectSameBits(open, [staticPadding()], feeds([5, 9]));
    expect(padsOf(open)).toEqual([1, 1, 2, 2]);
  });

  it('widens the window by its dilation', async () => {
    const dilated = model('Conv', 'SAME_UPPER', { kernel: 3, stride: 1, dilation: 2 }, [2, 3, 7, 7]);
    await runPasses(dilated, [staticPadding()]);
    expect(padsOf(dilated)).toEqual([2, 2, 2, 2]);
  });

  it('declines where strides make it depend on an open size', async () => {
    const open = model('MaxPool', 'SAME_UPPER', { kernel: 3, stride: 2 }, ['N', 3, 'H', 8]);
    const { modified, declined } = await runPasses(open, [staticPadding()]);
    expect(modified).toEqual([]);
    expect(declined[0]?.reason).toMatch(/^MaxPool '.*' keeps its auto_pad: it depends on sizes that are open\.$/);
  });

  it('takes the attribute away where pads are given', async () => {
    const explicit = model('MaxPool', 'NOTSET', { kernel: 2, stride: 1 }, [2, 3, 5, 5]);
    explicit.graph.nodes[0]?.attributes.set('pads', attribute.ints([1, 0, 0, 1]));
    await expectSameBits(explicit, [staticPadding()], feeds([5, 5]));
    expect(padsOf(explicit)).toEqual([1, 0, 0, 1]);
  });

  it('leaves what it does not know', async () => {
    const b = new ModelBuilder(18);
    const weights = b.input('w', undefined);
    const attributes = { auto_pad: attribute.string('SAME_UPPER') };
    const conv = b.add('Conv', [b.input('x', [1, 1, 4, 4]), weights], { attributes });
    const { modified, declined } = await runPasses(b.finish([conv]), [staticPadding()]);
    expect(modified).toEqual([]);
    expect(declined[0]?.reason).toContain('the size of its window is not known');
  });
});
