import { copyFileSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { findProblems, validateStructure } from '../../../lib/compiler/ir/validation.js';
import { openModel } from '../../../lib/compiler/readers/read-model.js';
import { CdkOnnxError } from '../../../lib/errors.js';
import type { MutationSubject } from '../mutation.js';
import { byteEdits } from '../mutation-edits.js';

/** A hostile file may be large, its neighbours of a fixture are not. */
const MAX_NEIGHBOUR_BYTES = 10_000_000;

export const subject: MutationSubject = {
  edits: byteEdits,
  async attempt(bytes, path = 'model') {
    const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-mutation-'));
    const file = join(folder, basename(path));
    try {
      for (const name of readdirSync(dirname(path))) {
        const neighbour = statSync(join(dirname(path), name));
        if (neighbour.isFile() && neighbour.size < MAX_NEIGHBOUR_BYTES)
          copyFileSync(join(dirname(path), name), join(folder, name));
      }
      writeFileSync(file, bytes);
      await using opened = await openModel(file);
      validateStructure(opened.model);
      findProblems(opened.model);
      modelToBytes(opened.model);
      return 'valid';
    } catch (error) {
      if (error instanceof CdkOnnxError) return error.code;
      return `uncoded: ${error instanceof Error ? error.stack : String(error)}`;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
