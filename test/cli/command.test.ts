import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatDuration } from '../../lib/artifact/units.js';
import { buildCommand } from '../../lib/cli/build.js';
import { helpText, parseCommandLine } from '../../lib/cli/command.js';
import { createProgress } from '../../lib/cli/progress.js';

describe('a command line', () => {
  it('is split into arguments and options', () => {
    expect(parseCommandLine(buildCommand, ['models/m', '--out', 'x', '--json'])).toEqual({
      positionals: ['models/m'],
      options: { out: 'x', json: true },
    });
  });

  it.each([
    ['an unknown option', ['m', '--out', 'x', '--ouput', 'y'], '--ouput'],
    ['an option without its value', ['m', '--out'], '--out'],
    ['a required option that lacks', ['m'], '--out is missing'],
    ['too few arguments', ['--out', 'x'], '0 arguments given, 1 wanted'],
    ['too many', ['m', 'n', '--out', 'x'], '2 arguments given, 1 wanted'],
  ])('with %s is refused', (_, argv, text) => {
    expect(() => parseCommandLine(buildCommand, argv)).toThrow(text);
  });

  it('has a help that names every option', () => {
    for (const name of Object.keys(buildCommand.options)) expect(helpText(buildCommand)).toContain(`--${name}`);
  });
});

describe('progress', () => {
  const written = (stream: PassThrough) => String(stream.read() ?? '');

  it('on a terminal is one line that changes', () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 30 });
    const progress = createProgress({ stream });
    progress.step('reading');
    progress.detail('3 of 12, which is a long story to tell');
    progress.done();
    const text = written(stream);
    expect(text).toContain('… reading');
    expect(text).toMatch(/✓ reading \(\d+ ms\)\n$/);
    for (const line of text.split(/[\r\n]/)) expect(line.replace('\u001b[K', '').length).toBeLessThan(30);
  });

  it('elsewhere says nothing of quick steps, and plain lines of slow ones', async () => {
    const stream = new PassThrough();
    const progress = createProgress({ stream, slow: 20 });
    progress.step('quick');
    progress.step('slow');
    await new Promise((resolve) => setTimeout(resolve, 60));
    progress.done();
    expect(written(stream)).toMatch(/^… slow\n✓ slow \(\d+ ms\)\n$/);
  });
});

describe('figures for people', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_500, '1.5 kB'],
    [603_432, '603 kB'],
    [26_200_000, '26.2 MB'],
    [2_500_000_000, '2.50 GB'],
  ])('%i bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
  it.each([
    [850, '850 ms'],
    [2_400, '2.4 s'],
    [185_000, '3 min 5 s'],
  ])('%i ms are %s', (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text));
});
