import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { convertOpset } from '../../../lib/compiler/passes/convert-opset.js';
import { expectSameBits } from '../../support/before-and-after.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { randomTensor } from '../../support/random-numbers.js';

const { string } = attribute;
const x = randomTensor([1, 2, 7, 9], 5);

function resizeFrom10(scales: readonly number[], mode: string) {
  const b = new ModelBuilder(10);
  const resized = b.add('Resize', [b.input('x', [1, 2, 7, 9]), b.floats(scales)], {
    attributes: { mode: string(mode) },
  });
  return b.finish([resized]);
}

describe('Resize-10, whose coordinates are those of asymmetric', () => {
  it.each([
    ['nearest', [1, 1, 2, 1.7]],
    ['nearest', [1, 1, 0.5, 0.3]],
    ['nearest', [1, 1, 1, 1]],
    ['linear', [1, 1, 2, 0.4]],
    ['linear', [1, 1, 1.3, 3]],
  ])('%s by %s', async (mode, scales) => {
    await expectSameBits(resizeFrom10(scales, mode), [convertOpset(21)], { x });
  });

  it('declines where one rule of rounding does not do: an axis grows and another shrinks, or nobody knows', async () => {
    const both = await convertOpset(11).run(resizeFrom10([1, 1, 2, 0.5], 'nearest'));
    expect(both.declined?.[0]).toContain('both above and below 1');
    const b = new ModelBuilder(10);
    const model = b.finish([b.add('Resize', [b.input('x', [1, 2, 7, 9]), b.input('scales', [4])])]);
    expect((await convertOpset(11).run(model)).modified).toBe(false);
    expect(model.graph.nodes[0]?.inputs.length).toBe(2);
  });

  it('takes scales from a Constant node', async () => {
    const b = new ModelBuilder(10);
    const scales = Tensor.fromNumbers('float32', [4], [1, 1, 3, 3]);
    const constant = b.add('Constant', [], { attributes: { value: attribute.tensor(scales) } });
    const model = b.finish([b.add('Resize', [b.input('x', [1, 2, 7, 9]), constant])]);
    await expectSameBits(model, [convertOpset(18)], { x });
  });
});

it('Upsample-9 with scales at run time is known to enlarge', async () => {
  const b = new ModelBuilder(9);
  const model = b.finish([b.add('Upsample', [b.input('x', [1, 2, 7, 9]), b.input('scales', [4])])]);
  const scales = new RuntimeTensor('float32', [1, 1, 1.5, 2], [4]);
  await expectSameBits(model, [convertOpset(21)], { x, scales });
});

describe('Resize-11', () => {
  it.each(['half_pixel', 'align_corners', 'pytorch_half_pixel', 'asymmetric'])(
    '%s with sizes keeps its result and loses its empty inputs',
    async (mode) => {
      const b = new ModelBuilder(11);
      const empty = b.floats([]);
      const model = b.finish([
        b.add('Resize', [b.input('x', [1, 2, 7, 9]), empty, empty, b.int64([1, 2, 5, 12])], {
          attributes: { mode: string('linear'), coordinate_transformation_mode: string(mode) },
        }),
      ]);
      await expectSameBits(model, [convertOpset(21)], { x });
      expect(model.graph.nodes[0]?.inputs.map((value) => value !== undefined)).toEqual([true, false, false, true]);
    },
  );

  it('tf_crop_and_resize keeps its region', async () => {
    const b = new ModelBuilder(11);
    const roi = b.floats([0, 0, 0.1, 0.2, 1, 1, 0.8, 0.9]);
    const model = b.finish([
      b.add('Resize', [b.input('x', [1, 2, 7, 9]), roi, b.floats([]), b.int64([1, 2, 5, 6])], {
        attributes: { mode: string('linear'), coordinate_transformation_mode: string('tf_crop_and_resize') },
      }),
    ]);
    await expectSameBits(model, [convertOpset(21)], { x });
  });

  it.each(['floor', 'round_prefer_floor'])(
    'tf_half_pixel_for_nn with %s rounds elsewhere in version 13',
    async (rounding) => {
      const b = new ModelBuilder(11);
      const empty = b.floats([]);
      const attributes = {
        coordinate_transformation_mode: string('tf_half_pixel_for_nn'),
        nearest_mode: string(rounding),
      };
      const model = b.finish([
        b.add('Resize', [b.input('x', [1, 2, 7, 9]), empty, empty, b.int64([1, 2, 11, 4])], { attributes }),
      ]);
      await expectSameBits(model, [convertOpset(21)], { x });
    },
  );

  it('tf_half_pixel_for_nn that is linear declines', async () => {
    const b = new ModelBuilder(11);
    const empty = b.floats([]);
    const attributes = { coordinate_transformation_mode: string('tf_half_pixel_for_nn'), mode: string('linear') };
    const model = b.finish([
      b.add('Resize', [b.input('x', [1, 2, 7, 9]), empty, b.floats([1, 1, 2, 2])], { attributes }),
    ]);
    const { declined } = await convertOpset(13).run(model);
    expect(declined?.[0]).toContain('cannot go to opset 13: version 13 has no coordinate_transformation_mode');
  });
});
