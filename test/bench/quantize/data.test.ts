import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DataSource, ROLES } from '../../../bench/quantize/data/sets.js';
import { speech } from '../../../bench/quantize/data/speech.js';
import { textLines } from '../../../bench/quantize/data/text-lines.js';
import { readMails } from '../../fixtures/spam-classifier/mails.js';

/** A file of the Debian package that a source reads. */
const SOURCES: readonly (readonly [string, DataSource, string, string])[] = [
  ['sounds', speech, 'pocketsphinx-testdata', '/usr/share/pocketsphinx/test/data/goforward.raw'],
  ['lines of text', textLines, 'fonts-dejavu-extra', '/usr/share/fonts/truetype/dejavu/DejaVuSerif-Italic.ttf'],
];

describe('data that scripts compose', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'composed-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const digestOf = async (source: DataSource, name: string) => {
    const target = join(folder, name);
    await source.write('calibration', target);
    const hash = createHash('sha256');
    for (const entry of readdirSync(target, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) hash.update(readFileSync(join(entry.parentPath, entry.name)));
    }
    return hash.digest('hex');
  };

  for (const [what, source, needed, file] of SOURCES) {
    const isSkipped = !existsSync(file) && process.env.CI !== 'true';
    it.skipIf(isSkipped)(
      `are the same for the same seed: ${what}${isSkipped ? ` (skipped: needs ${needed})` : ''}`,
      async () => {
        expect(await digestOf(source, 'one')).toBe(await digestOf(source, 'other'));
      },
    );
  }
});

describe('the mails', () => {
  it('are in one part each, those that were sent twice too', () => {
    const parts = new Map<string, string>();
    for (const { text, part } of readMails()) {
      expect(parts.get(text) ?? part).toBe(part);
      parts.set(text, part);
    }
    const counts = ROLES.map((role) => [...parts.values()].filter((part) => part === role).length);
    expect(Math.min(...counts)).toBeGreaterThan(300);
  });
});
