import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { nodesOf } from '../../../lib/compiler/ir/traversal.js';
import { constantsToInitializers } from '../../../lib/compiler/passes/constants-to-initializers.js';
import { findNodes, keyText, nodeKeyOf, tensorDigest } from '../../../lib/compiler/quantize/node-key.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { realModels } from '../../support/real-models.js';

const product = (numbers: readonly number[], asConstant = false) => {
  const b = new ModelBuilder(18);
  const x = b.input('x', [1, 2]);
  const tensor = Tensor.fromNumbers('float32', [2, 1], numbers);
  const weight = asConstant
    ? b.add('Constant', [], { attributes: { value: attribute.tensor(tensor) } })
    : b.constant(tensor, 'weight');
  return b.finish([b.add('MatMul', [x, weight], { outputs: ['y'] })]);
};
const last = ({ graph }: ReturnType<typeof product>) => {
  const node = graph.nodes.at(-1);
  if (node === undefined) throw new Error('no nodes');
  return node;
};

describe('a key', () => {
  it('is the first output, the op type and a digest of the weights', () => {
    const key = nodeKeyOf(last(product([1, 2])));
    expect(key).toMatchObject({ output: 'y', opType: 'MatMul' });
    expect(key.weights).toMatch(/^[0-9a-f]{64}$/);
  });

  it('changes with the weights and with nothing else', () => {
    const key = nodeKeyOf(last(product([1, 2])));
    expect(nodeKeyOf(last(product([1, 2])))).toEqual(key);
    expect(nodeKeyOf(last(product([1, 3]))).weights).not.toBe(key.weights);
    expect(nodeKeyOf(last(product([1, 2], true)))).toEqual(key);
  });

  it('tells element types, shapes and positions of constants apart', () => {
    const digests = [
      tensorDigest(Tensor.fromNumbers('float32', [2, 1], [1, 2])),
      tensorDigest(Tensor.fromNumbers('float32', [1, 2], [1, 2])),
      tensorDigest(Tensor.fromNumbers('int32', [2, 1], [1, 2])),
      tensorDigest(new Tensor('string', [1], { kind: 'strings', strings: [new TextEncoder().encode('ab')] })),
      tensorDigest(
        new Tensor('string', [2], {
          kind: 'strings',
          strings: ['a', 'b'].map((text) => new TextEncoder().encode(text)),
        }),
      ),
    ];
    expect(new Set(digests).size).toBe(digests.length);
    const sides = [0, 1].map((side) => {
      const b = new ModelBuilder(18);
      const [x, one] = [b.input('x', [2]), b.floats([1, 2])];
      return nodeKeyOf(last(b.finish([b.add('Sub', side === 0 ? [one, x] : [x, one], { outputs: ['y'] })]))).weights;
    });
    expect(sides[0]).not.toBe(sides[1]);
  });

  it('finds its node again in another reading of the file, in subgraphs too', async () => {
    const [one, other] = [await readOnnx(realModels.sileroV5), await readOnnx(realModels.sileroV5)];
    const keys = [...nodesOf(one)].map(nodeKeyOf);
    expect(keys.length).toBeGreaterThan(100);
    constantsToInitializers().run(other);
    const found = findNodes(other, keys);
    for (const [index, key] of keys.entries()) {
      if (key.opType === 'Constant') continue;
      const node = found[index];
      expect(node === undefined ? undefined : keyText(nodeKeyOf(node))).toBe(keyText(key));
    }
    const nodes = found.filter((node) => node !== undefined);
    expect(new Set(nodes).size).toBe(nodes.length);
  });

  it('of a node that is not there finds none', () => {
    const key = nodeKeyOf(last(product([1, 2])));
    const model = product([1, 2]);
    expect(findNodes(model, [key])).toEqual([last(model)]);
    for (const wrong of [{ output: 'z' }, { opType: 'Gemm' }, { weights: '0'.repeat(64) }]) {
      expect(findNodes(model, [{ ...key, ...wrong }])).toEqual([undefined]);
    }
    // Once each.
    expect(findNodes(model, [key, key])).toEqual([last(model), undefined]);
  });
});
