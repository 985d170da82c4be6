import { describe, expect, it } from 'vitest';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { forgetComputedTypes } from '../../../lib/compiler/passes/forget-computed-types.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { normalize } from '../../../lib/compiler/passes/presets.js';
import { toOrtFeeds } from '../../support/compare-outputs.js';
import { expectEquivalentOnRandomGraphs } from '../../support/expect-equivalent.js';
import { ModelBuilder, typed } from '../../support/model-builder.js';
import { runModel } from '../../support/run-model.js';

describe('forget computed types', () => {
  it('forgets value_info and keeps the signature', () => {
    const b = new ModelBuilder(17);
    const x = b.input('x', ['batch', 3]);
    const inner = b.add('Neg', [x]);
    inner.type = { kind: 'tensor', elementType: 'float32', shape: [1, 3] };
    const model = b.finish([b.add('Relu', [inner])]);
    expect(forgetComputedTypes().run(model)).toEqual({ modified: true });
    expect([inner.type, x.type, model.graph.outputs[0]?.type]).toEqual([
      undefined,
      expect.anything(),
      expect.anything(),
    ]);
    expect(forgetComputedTypes().run(model)).toEqual({ modified: false });
  });

  it('so a size that is no longer true is not folded into the model', async () => {
    const b = new ModelBuilder(17);
    const inner = b.add('Neg', [b.input('x', ['batch', 3])]);
    // What a tool leaves behind that made the first dimension of the input dynamic.
    inner.type = { kind: 'tensor', elementType: 'float32', shape: [1, 3] };
    const model = b.finish([typed(b.add('Shape', [inner]), 'int64')]);
    await runPasses(model, normalize());
    const feeds = toOrtFeeds({ x: Tensor.fromNumbers('float32', [2, 3], new Array(6).fill(1)) });
    const [shape] = Object.values(await runModel(modelToBytes(model), feeds));
    expect((shape as { data: BigInt64Array }).data).toEqual(BigInt64Array.of(2n, 3n));
  });

  it('changes nothing that random graphs compute', () => expectEquivalentOnRandomGraphs([forgetComputedTypes()]));
});
