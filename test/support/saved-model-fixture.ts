/** The SavedModels that test/fixtures/conversion/savedmodel/make.py wrote: folders, the large ones in zip files. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { unzipSync } from 'fflate';

const fixtures = join(import.meta.dirname, '../fixtures/conversion/savedmodel');
let unpacked: string | undefined;

/** Path without extension of what was recorded with a model. */
export function savedModelRecording(name: string): string {
  return join(fixtures, name);
}

/** A folder with saved_model.pb, which nobody may change. */
export function savedModelFixture(name: string): string {
  const folder = join(fixtures, name);
  const archive = `${folder}.zip`;
  if (!existsSync(archive)) return folder;
  if (unpacked === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'saved-models-'));
    process.once('exit', () => rmSync(made, { recursive: true }));
    unpacked = made;
  }
  const target = join(unpacked, name);
  if (existsSync(target)) return target;
  for (const [file, content] of Object.entries(unzipSync(readFileSync(archive)))) {
    mkdirSync(dirname(join(target, file)), { recursive: true });
    writeFileSync(join(target, file), content);
  }
  return target;
}
