import { create } from '@bufbuild/protobuf';
import { AttributeProtoSchema } from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { printModel } from '../../../lib/compiler/ir/print.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { constantsToInitializers } from '../../../lib/compiler/passes/constants-to-initializers.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { expectEquivalent, expectEquivalentOnRandomGraphs } from '../../support/expect-equivalent.js';
import { ModelBuilder, typed } from '../../support/model-builder.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { realModels } from '../../support/real-models.js';

describe('constants to initializers', () => {
  it('takes every dense form of a constant', async () => {
    const builder = new ModelBuilder(13);
    const constant = (name: string, attributes: Parameters<typeof builder.add>[2]) =>
      builder.add('Constant', [], { outputs: [name], ...attributes });
    const outputs = [
      constant('tensor', { attributes: { value: attribute.tensor(Tensor.scalar('float32', 2)) } }),
      constant('float', { attributes: { value_float: attribute.float(1.5) } }),
      constant('floats', { attributes: { value_floats: attribute.floats([1.5, -0]) } }),
      typed(constant('int', { attributes: { value_int: attribute.int(-3) } }), 'int64'),
      typed(constant('ints', { attributes: { value_ints: attribute.ints([2n ** 53n + 1n]) } }), 'int64'),
      typed(constant('string', { attributes: { value_string: attribute.string('ä') } }), 'string'),
      typed(constant('strings', { attributes: { value_strings: attribute.strings(['a', '']) } }), 'string'),
    ];
    const model = builder.finish(outputs);
    await expectEquivalent(model, [constantsToInitializers()], {});
    expect(printModel(model)).toMatchInlineSnapshot(`
      "model ir 10, ai.onnx 13
      graph graph() {
        %tensor = float32[] [2]
        %float = float32[] [1.5]
        %floats = float32[2] [1.5, -0]
        %int = int64[] [-3]
        %ints = int64[1] [9007199254740993]
        %string = string[] ["ä"]
        %strings = string[2] ["a", ""]
        return %tensor: float32[], %float: float32[], %floats: float32[2], %int: int64[], %ints: int64[1], %string: string[], %strings: string[2]
      }
      "
    `);
  });

  it('leaves a sparse constant, and says so', () => {
    const builder = new ModelBuilder(13);
    const proto = create(AttributeProtoSchema, { name: 'sparse_value' });
    const sparse = builder.add('Constant', [], {
      outputs: ['s'],
      attributes: { sparse_value: { kind: 'opaque', value: proto } },
    });
    const result = constantsToInitializers().run(builder.finish([sparse]));
    expect(result).toEqual({ modified: false, declined: ["Constant 's' holds no dense tensor."] });
  });

  it('makes a file before IR version 4 one of version 4, where old initializers cannot be overridden either', () => {
    const builder = new ModelBuilder(8);
    const weight = builder.floats([1]);
    const constant = builder.add('Constant', [], {
      attributes: { value: attribute.tensor(Tensor.scalar('float32', 2)) },
    });
    const model = builder.finish([builder.add('Add', [weight, constant])], { irVersion: 3 });
    model.graph.setInputs([weight]);
    constantsToInitializers().run(model);
    expect([model.irVersion, model.graph.inputs.length, model.graph.initializers.size]).toEqual([4, 0, 2]);
  });

  it('keeps what a detector with 342 constants and a model with nested Ifs compute', async () => {
    for (const name of ['ocrDetector', 'sileroV5'] as const) {
      const model = await readOnnx(realModels[name]);
      const { modified } = await expectEquivalent(model, [constantsToInitializers()], realModelFeeds(name));
      expect(modified).toEqual(['constants-to-initializers']);
    }
  });

  it('keeps what random graphs compute', () => expectEquivalentOnRandomGraphs([constantsToInitializers()]));
});
