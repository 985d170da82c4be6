import { describe, expect, it } from 'vitest';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { type Pass, runPasses } from '../../../lib/compiler/passes/pass.js';
import { ModelBuilder } from '../../support/model-builder.js';

function anyModel(): Model {
  const builder = new ModelBuilder(17);
  return builder.finish([builder.add('Relu', [builder.input('x', [1])])]);
}

/** Changes the model as often as `times` says, and declines with how often that was. */
function counting(name: string, times: number, log: string[]): Pass {
  let runs = 0;
  return {
    name,
    run: () => {
      log.push(name);
      runs++;
      return { modified: runs <= times, declined: [`run ${runs}`] };
    },
  };
}

describe('runPasses', () => {
  it('runs passes in order and names those that changed the model', async () => {
    const log: string[] = [];
    const seen: string[] = [];
    const passes = [counting('a', 0, log), counting('b', 1, log), counting('c', 1, log)];
    const result = await runPasses(anyModel(), passes, {
      onProgress: ({ pass, index, count }) => seen.push(`${pass} ${index + 1}/${count}`),
    });
    expect(log).toEqual(['a', 'b', 'c']);
    expect(seen).toEqual(['a 1/3', 'b 2/3', 'c 3/3']);
    expect(result.modified).toEqual(['b', 'c']);
    expect(result.declined).toContainEqual({ pass: 'a', reason: 'run 1' });
  });

  it('repeats a loop until every pass in a row left the model alone, and keeps the last reasons only', async () => {
    const log: string[] = [];
    const result = await runPasses(anyModel(), [
      { name: 'loop', untilUnchanged: [counting('a', 2, log), counting('b', 1, log)] },
    ]);
    expect(log).toEqual(['a', 'b', 'a', 'b', 'a']);
    expect(result.modified).toEqual(['a', 'b']);
    expect(result.declined).toEqual([
      { pass: 'a', reason: 'run 3' },
      { pass: 'b', reason: 'run 2' },
    ]);
  });

  it('gives up on a loop that never comes to rest', async () => {
    const log: string[] = [];
    await runPasses(anyModel(), [{ name: 'loop', untilUnchanged: [counting('a', Number.POSITIVE_INFINITY, log)] }]);
    expect(log).toHaveLength(50);
  });
});
