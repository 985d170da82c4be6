import { describe, expect, test } from 'vitest';
import { LoweringError } from '../../../lib/compiler/lowering/lowering-error.js';
import { atPlace } from '../../../lib/compiler/readers/at-place.js';
import { ReaderError } from '../../../lib/compiler/readers/reader-error.js';
import { UnsupportedOperations } from '../../../lib/compiler/readers/unsupported-operations.js';
import { refusalOf } from '../../support/refusal.js';

describe('what no table lowers', () => {
  test('nothing: no error', () => {
    expect(() => new UnsupportedOperations('layer').check()).not.toThrow();
  });

  test('one error lists every kind, the most frequent first, with its count, its first places and what to do', async () => {
    const unsupported = new UnsupportedOperations('layer');
    unsupported.add('Spectral', 'head/spectral');
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      unsupported.add('Lambda', `encoder/${name}`, {
        reason: 'it holds Python code, which is never run',
        advice: 'Replace Lambda layers by layers that say what they compute.',
      });
    }
    const error = await refusalOf(async () => unsupported.check());
    expect(error).toBeInstanceOf(ReaderError);
    expect(error.code).toBe('LAYER_UNSUPPORTED');
    expect(error.message).toBe(
      [
        '6 layers of 2 kinds are not supported:',
        "  Lambda, 5 ×: 'encoder/a', 'encoder/b', 'encoder/c', and 2 more (it holds Python code, which is never run)",
        "  Spectral, 1 ×: 'head/spectral'",
      ].join('\n'),
    );
    expect(error.advice).toMatch(/^Replace Lambda layers .* Replace these layers by supported ones/);
  });

  test('a hostile file makes no endless message', async () => {
    const unsupported = new UnsupportedOperations('operator');
    for (let index = 0; index < 10_000; index++) unsupported.add(`Op${index}${'x'.repeat(1000)}`, 'y'.repeat(10_000));
    const error = await refusalOf(async () => unsupported.check());
    expect(error.code).toBe('OPERATOR_UNSUPPORTED');
    expect(error.message).toContain('10000 operators of 10000 kinds');
    expect(error.message).toContain('and 9980 more kinds');
    expect(error.message.length).toBeLessThan(10_000);
  });
});

describe('what lowering refuses', () => {
  test('says in which layer', async () => {
    const error = await refusalOf(async () =>
      atPlace("Dense 'head/dense'", () => {
        throw new LoweringError({ code: 'SHAPE_MISMATCH', message: '[2] and [3] differ.', advice: 'Look.' });
      }),
    );
    expect(error).toBeInstanceOf(ReaderError);
    expect(error).toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: "Dense 'head/dense': [2] and [3] differ.",
      advice: 'Look.',
    });
  });

  test('a fault of ours stays what it is', () => {
    const fault = new TypeError('a bug');
    const lower = () => {
      throw fault;
    };
    expect(() => atPlace('Dense', lower)).toThrow(fault);
    expect(atPlace('Dense', () => 1)).toBe(1);
  });
});
