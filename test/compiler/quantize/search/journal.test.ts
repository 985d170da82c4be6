import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Journal, numbersToText, textToNumbers } from '../../../../lib/compiler/quantize/search/journal.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'journal-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const never = async (): Promise<number> => {
  throw new Error('it was remembered');
};

describe('the journal of a search', () => {
  test('answers from an earlier run, and asks for what that one did not reach', async () => {
    const first = new Journal({ folder, identity: { model: 'a' } });
    expect(await first.remember({ step: 1 }, async () => 41)).toBe(41);
    const second = new Journal({ folder, identity: { model: 'a' } });
    expect(await second.remember({ step: 1 }, never)).toBe(41);
    expect(await second.remember({ step: 2 }, async () => 42)).toBe(42);
    expect(second.resumed).toBe(1);
  });

  test('knows nothing of another search', async () => {
    await new Journal({ folder, identity: { model: 'a' } }).remember({ step: 1 }, async () => 41);
    expect(await new Journal({ folder, identity: { model: 'b' } }).remember({ step: 1 }, async () => 7)).toBe(7);
  });

  test('remembers no step that failed', async () => {
    const journal = new Journal({ folder, identity: 1 });
    await expect(journal.remember('step', never)).rejects.toThrow('it was remembered');
    expect(await journal.remember('step', async () => 3)).toBe(3);
  });

  test('passes over a line that was cut off in the middle', async () => {
    await new Journal({ folder, identity: 1 }).remember('whole', async () => 5);
    const [file = ''] = readdirSync(folder);
    appendFileSync(join(folder, file), '["half a li');
    const journal = new Journal({ folder, identity: 1 });
    expect(await journal.remember('whole', never)).toBe(5);
  });

  test('leaves nothing when the search has ended, and writes nothing where it may not', async () => {
    const journal = new Journal({ folder, identity: 1 });
    await journal.remember('step', async () => 1);
    journal.forget();
    expect(readdirSync(folder)).toEqual([]);
    const silent = new Journal({ folder: null, identity: 1 });
    expect(await silent.remember('step', async () => 1)).toBe(1);
    const impossible = new Journal({ folder: join(import.meta.filename, 'folder'), identity: 1 });
    expect(await impossible.remember('step', async () => 1)).toBe(1);
  });

  test('keeps every bit of numbers, infinities too', () => {
    const numbers = Float64Array.of(0.1, -0, Number.POSITIVE_INFINITY, Number.NaN, 5e-324);
    expect(textToNumbers(numbersToText(numbers))).toEqual(numbers);
    expect(textToNumbers(numbersToText(new Float64Array()))).toEqual(new Float64Array());
  });
});
