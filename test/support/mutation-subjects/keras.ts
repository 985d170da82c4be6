import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { unzipSync, zipSync } from 'fflate';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { findProblems, validateStructure } from '../../../lib/compiler/ir/validation.js';
import { readModel } from '../../../lib/compiler/readers/read-model.js';
import { CdkOnnxError } from '../../../lib/errors.js';
import type { MutationSubject } from '../mutation.js';
import { below, byteEdits, type Edit, jsonEdit, pick, type Random } from '../mutation-edits.js';

const isJson = (bytes: Uint8Array) => bytes[0] === 0x7b;
const isZip = (bytes: Uint8Array) => bytes[0] === 0x50;

/** The config, wherever a format keeps it. */
const config: Edit = (bytes, random) => {
  if (isJson(bytes)) return jsonEdit(bytes, random);
  return isZip(bytes) ? inArchive('config.json', jsonEdit)(bytes, random) : inText(bytes, random);
};

function inArchive(name: string, edit: Edit): Edit {
  return (bytes, random) => {
    const files = unzipSync(bytes);
    const content = files[name];
    return content === undefined ? bytes : zipSync({ ...files, [name]: edit(content, random) }, { level: 1 });
  };
}

/** A config that stands in an HDF5 file, in its place: no longer than before. */
function inText(bytes: Uint8Array, random: Random): Uint8Array {
  const start = Buffer.from(bytes).indexOf('{"class_name"');
  const end = bytes.indexOf(0, start);
  if (start < 0) return bytes;
  const edited = jsonEdit(bytes.subarray(start, end), random);
  const copy = bytes.slice();
  if (edited.byteLength <= end - start) copy.fill(0x20, start, end).set(edited, start);
  return copy;
}

/** Addresses that lead to other structures than they did, and numbers between them. */
const addresses: Edit = (bytes, random) => {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  const places: number[] = [];
  for (let at = 0; at + 8 <= copy.length; at += 8) {
    const value = view.getBigUint64(at, true);
    if (value > 0n && value < BigInt(copy.length)) places.push(at);
  }
  for (let count = 1 + below(random, 3); count > 0 && places.length > 0; count--) {
    const other = view.getBigUint64(pick(random, places), true);
    const value = random() < 0.7 ? other : BigInt(below(random, copy.length));
    view.setBigUint64(pick(random, places), value, true);
  }
  return copy;
};

const weights: Edit = (bytes, random) => {
  if (isJson(bytes)) return jsonEdit(bytes, random);
  const edit = pick(random, [addresses, addresses, byteEdits['whole number'], byteEdits['bit flips']]);
  return isZip(bytes) ? inArchive('model.weights.h5', edit)(bytes, random) : edit(bytes, random);
};

/** Keras archives, Keras's HDF5 files and layers of TensorFlow.js. */
export const subject: MutationSubject = {
  edits: { ...byteEdits, config, 'more of the config': config, weights, 'more of the weights': weights },
  async attempt(bytes, path = 'model') {
    const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-mutation-'));
    const file = join(folder, basename(path));
    try {
      if (path.endsWith('.json')) {
        for (const name of readdirSync(dirname(path))) {
          if (name.endsWith('.bin')) copyFileSync(join(dirname(path), name), join(folder, name));
        }
      }
      writeFileSync(file, bytes);
      const model = await readModel(file);
      validateStructure(model);
      findProblems(model);
      modelToBytes(model);
      return 'valid';
    } catch (error) {
      if (error instanceof CdkOnnxError) return error.code;
      return `uncoded: ${error instanceof Error ? error.stack : String(error)}`;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
