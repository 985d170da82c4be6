import { describe, expect, it } from 'vitest';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { validateStructure } from '../../../lib/compiler/ir/validation.js';
import { conditional, loop } from '../../../lib/compiler/lowering/control-flow.js';
import { binary, compare, unary } from '../../../lib/compiler/lowering/elementwise.js';
import { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { concat, unsqueeze } from '../../../lib/compiler/lowering/rearrange.js';
import { shapeOf } from '../../../lib/compiler/lowering/shape.js';
import { fromOrt, toOrt } from '../../support/compare-outputs.js';
import { refusalOf } from '../../support/refusal.js';
import { runModel } from '../../support/run-model.js';

/** x [N, 2], and a limit. */
function begin() {
  const builder = new GraphBuilder();
  const x = builder.input('x', { elementType: 'float32', shape: ['N', 2] });
  const limit = builder.input('limit', { elementType: 'int64', shape: [] });
  return { builder, x, limit };
}

async function run(builder: GraphBuilder, outputs: Parameters<GraphBuilder['finish']>[0], limit: number) {
  const model = builder.finish(outputs);
  validateStructure(model);
  const x = Tensor.fromNumbers('float32', [1, 2], [1, -2]);
  const results = await runModel(modelToBytes(model), { x: toOrt(x), limit: toOrt(Tensor.int64([limit], [])) });
  return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, fromOrt(value as never).numbers()]));
}

describe('a condition', () => {
  it('takes one of two branches, which may give back what is around them or constants', async () => {
    for (const [limit, expected] of [
      [0, { y: [1, -2], z: [7] }],
      [2, { y: [-1, 2], z: [1] }],
    ] as const) {
      const { builder, x, limit: value } = begin();
      const isLarge = compare(builder, 'Greater', value, builder.int64([1], []));
      const [y, z] = conditional(
        builder,
        isLarge,
        (then) => [unary(then, 'Neg', x), then.scalar(1)],
        (otherwise) => [x, otherwise.scalar(7)],
      );
      if (y === undefined || z === undefined) throw new Error('two values');
      expect(shapeOf(y)).toEqual(['N', 2]);
      const named = [
        { name: 'y', value: y },
        { name: 'z', value: z },
      ];
      expect(await run(builder, named, limit)).toEqual(expected);
    }
  });

  it('that is constant writes its branch alone', () => {
    const { builder, x } = begin();
    const always = builder.constant(Tensor.fromNumbers('bool', [], [1]));
    conditional(
      builder,
      always,
      (then) => [unary(then, 'Neg', x)],
      () => expect.fail('the other branch'),
    );
    expect(builder.graph.nodes.map(({ opType }) => opType)).toEqual(['Neg']);
  });

  it('refuses branches of other types, ranks and numbers of values', async () => {
    const { builder, x, limit } = begin();
    const isLarge = compare(builder, 'Greater', limit, builder.int64([1], []));
    const code = async (...branches: [Parameters<typeof conditional>[2], Parameters<typeof conditional>[2]]) =>
      (await refusalOf(() => conditional(builder, isLarge, ...branches))).code;
    expect(
      await code(
        () => [x],
        () => [limit],
      ),
    ).toBe('BRANCHES_DIFFER');
    expect(
      await code(
        () => [x],
        (inner) => [unsqueeze(inner, x, [0])],
      ),
    ).toBe('BRANCHES_DIFFER');
    expect(
      await code(
        () => [x],
        () => [],
      ),
    ).toBe('BRANCHES_DIFFER');
  });
});

describe('a loop', () => {
  it('steps while its condition holds, and stacks what its steps give', async () => {
    for (const [limit, expected] of [
      [3, { i: [3], y: [8, -16], stack: [1, -2, 2, -4, 4, -8] }],
      [0, { i: [0], y: [1, -2], stack: [] }],
    ] as const) {
      const { builder, x, limit: value } = begin();
      const zero = builder.int64([0], []);
      const first = compare(builder, 'Less', zero, value);
      const result = loop(builder, first, [zero, x], (inner, [i, y]) => {
        if (i === undefined || y === undefined) throw new Error('two states');
        const next = binary(inner, 'Add', i, inner.int64([1], []));
        return {
          condition: compare(inner, 'Less', next, value),
          states: [next, binary(inner, 'Add', y, y)],
          stacked: [y],
        };
      });
      const [i, y] = result?.states ?? [];
      const [stack] = result?.stacks ?? [];
      if (i === undefined || y === undefined || stack === undefined) throw new Error('three values');
      expect(shapeOf(stack)).toEqual([undefined, 'N', 2]);
      const named = [
        { name: 'i', value: i },
        { name: 'y', value: y },
        { name: 'stack', value: stack },
      ];
      expect(await run(builder, named, limit)).toEqual(expected);
    }
  });

  it('leaves sizes open that change from step to step, and writes its body anew for that', async () => {
    const { builder, x, limit } = begin();
    const shapes: unknown[] = [];
    const result = loop(
      builder,
      compare(builder, 'Less', builder.int64([0], []), limit),
      [builder.int64([0], []), x],
      (inner, [i, y]) => {
        if (i === undefined || y === undefined) throw new Error('two states');
        shapes.push(shapeOf(y));
        const next = binary(inner, 'Add', i, inner.int64([1], []));
        return { condition: compare(inner, 'Less', next, limit), states: [next, concat(inner, [y, y], 1)] };
      },
    );
    expect(shapes).toEqual([
      ['N', 2],
      ['N', undefined],
    ]);
    const [, y] = result?.states ?? [];
    if (y === undefined) throw new Error('two states');
    expect(await run(builder, [{ name: 'y', value: y }], 2)).toEqual({ y: [1, -2, 1, -2, 1, -2, 1, -2] });
  });

  it('is not written where its body says so, and leaves nothing behind', () => {
    const { builder, x, limit } = begin();
    const first = compare(builder, 'Less', builder.int64([0], []), limit);
    const result = loop(builder, first, [x], (inner, [y]) => {
      if (y !== undefined) binary(inner, 'Add', y, x);
      return undefined;
    });
    expect(result).toBeUndefined();
    expect(x.uses.size).toBe(0);
    expect(builder.graph.nodes.map(({ opType }) => opType)).toEqual(['Less']);
  });

  it('refuses states that change their type or rank', async () => {
    const { builder, x, limit } = begin();
    const first = compare(builder, 'Less', builder.int64([0], []), limit);
    const code = async (write: (inner: GraphBuilder) => readonly (typeof x)[]) =>
      (await refusalOf(() => loop(builder, first, [x], (inner) => ({ condition: first, states: write(inner) })))).code;
    expect(await code(() => [limit])).toBe('LOOP_STATES');
    expect(await code((inner) => [unsqueeze(inner, x, [0])])).toBe('LOOP_STATES');
    expect(await code(() => [])).toBe('LOOP_STATES');
  });
});
