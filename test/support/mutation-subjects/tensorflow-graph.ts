import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { GraphDefSchema } from '../../../lib/compiler/formats/tensorflow/protocol/tensorflow_pb.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { findProblems, validateStructure } from '../../../lib/compiler/ir/validation.js';
import { readModel } from '../../../lib/compiler/readers/read-model.js';
import { CdkOnnxError } from '../../../lib/errors.js';
import type { MutationSubject } from '../mutation.js';
import { byteEdits, type Edit, jsonEdit, messageEdit } from '../mutation-edits.js';

const isJson = (bytes: Uint8Array) => bytes[0] === 0x7b;
const fields: Edit = (bytes, random) => (isJson(bytes) ? jsonEdit : messageEdit(GraphDefSchema))(bytes, random);

/** A folder for each folder of seeds, with its shards: the damaged file is written anew each time. */
const folders = new Map<string, string>();
process.on('exit', () => {
  for (const folder of folders.values()) rmSync(folder, { recursive: true, force: true });
});

function folderFor(original: string): string {
  const known = folders.get(original);
  if (known !== undefined) return known;
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-mutation-'));
  folders.set(original, folder);
  for (const name of readdirSync(original)) {
    if (name.endsWith('.bin')) copyFileSync(join(original, name), join(folder, name));
  }
  return folder;
}

/** Frozen graphs and model.json of TensorFlow.js; what is in them is damaged as often as their bytes. */
export const subject: MutationSubject = {
  edits: { ...byteEdits, fields, 'more fields': fields, 'other fields': fields, 'yet other fields': fields },
  async attempt(bytes, path = 'model.json') {
    const file = join(folderFor(dirname(path)), basename(path));
    writeFileSync(file, bytes);
    try {
      const model = await readModel(file);
      validateStructure(model);
      findProblems(model);
      modelToBytes(model);
      return 'valid';
    } catch (error) {
      if (error instanceof CdkOnnxError) return error.code;
      return `uncoded: ${error instanceof Error ? error.stack : String(error)}`;
    }
  },
};
