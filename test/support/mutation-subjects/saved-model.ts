import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import {
  BundleEntryProtoSchema,
  BundleHeaderProtoSchema,
  FunctionDefSchema,
  NodeDefSchema,
  SavedModelSchema,
  SignatureEntrySchema,
} from '../../../lib/compiler/formats/tensorflow/protocol/tensorflow_pb.js';
import { readSortedTable, type TableEntry } from '../../../lib/compiler/formats/tensorflow/sorted-table.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { findProblems, validateStructure } from '../../../lib/compiler/ir/validation.js';
import { readSavedModel } from '../../../lib/compiler/readers/tensorflow/read-saved-model.js';
import { CdkOnnxError } from '../../../lib/errors.js';
import type { MutationSubject } from '../mutation.js';
import { below, byteEdits, type Edit, edits, messageEdit, pick, type Random } from '../mutation-edits.js';
import { sortedTable } from '../sorted-table-writer.js';

/** The files of a SavedModel, told by their bytes. */
function fileKind(bytes: Uint8Array): 'model' | 'index' | 'data' {
  if (bytes[0] === 0x08 && bytes[1] === 0x01 && bytes[2] === 0x12) return 'model';
  return bytes.length > 48 && bytes[bytes.length - 1] === 0xdb ? 'index' : 'data';
}

/** What a checkpoint says of its tensors, behind checksums that are right: damage that the table's own would catch. */
function editIndex(bytes: Uint8Array, random: Random): Uint8Array {
  const entries = readSortedTable(bytes, 'index').map(({ key, value }): TableEntry => ({ key, value }));
  for (let count = 1 + below(random, 3); count > 0; count--) {
    const at = below(random, entries.length);
    const entry = entries[at] as TableEntry;
    const schema = entry.key.length === 0 ? BundleHeaderProtoSchema : BundleEntryProtoSchema;
    const edit = pick<Edit>(random, [
      ...new Array<Edit>(6).fill(messageEdit(schema)),
      byteEdits['bit flips'],
      byteEdits.truncation,
      (value) => (entries[below(random, entries.length)] as TableEntry).value ?? value,
    ]);
    try {
      entries[at] = { key: entry.key, value: entry.value.length === 0 ? entry.value : edit(entry.value, random) };
    } catch {
      // What an edit before made of it is no message any more.
    }
  }
  const compression = pick(random, ['none', 'snappy'] as const);
  return sortedTable(
    entries.map(({ key, value }) => [key, value] as const),
    { compression, blockEntries: 1 + below(random, 5) },
  );
}

/** A few nodes, functions or signatures: what a walk from the top rarely gets to. */
function editGraph(bytes: Uint8Array, random: Random): Uint8Array {
  const model = fromBinary(SavedModelSchema, bytes);
  const [graph] = model.metaGraphs;
  const functions = graph?.graphDef?.library?.function ?? [];
  const nodes = [graph?.graphDef?.node ?? [], ...functions.map(({ nodeDef }) => nodeDef)];
  for (let count = 1 + below(random, 4); count > 0; count--) {
    const choice = random();
    if (choice < 0.7) editItem(NodeDefSchema, pick(random, nodes), random);
    else if (choice < 0.9) editItem(FunctionDefSchema, functions, random);
    else editItem(SignatureEntrySchema, graph?.signatureDef ?? [], random);
  }
  return toBinary(SavedModelSchema, model);
}

function editItem<Schema extends DescMessage>(schema: Schema, list: MessageShape<Schema>[], random: Random): void {
  const at = below(random, list.length);
  const item = list[at];
  if (item !== undefined) list[at] = fromBinary(schema, messageEdit(schema)(toBinary(schema, item), random));
}

const fields: Edit = (bytes, random) => {
  const kind = fileKind(bytes);
  if (kind === 'model') return random() < 0.8 ? editGraph(bytes, random) : messageEdit(SavedModelSchema)(bytes, random);
  return kind === 'index' ? editIndex(bytes, random) : byteEdits['bit flips'](bytes, random);
};
const lengths: Edit = (bytes, random) => {
  return fileKind(bytes) === 'model' ? (edits['length field'] as Edit)(bytes, random) : fields(bytes, random);
};

/** The folder that a file belongs to. */
function modelFolder(path: string): string {
  return basename(path) === 'saved_model.pb' ? dirname(path) : dirname(dirname(path));
}

export const subject: MutationSubject = {
  edits: { ...byteEdits, lengths, fields, 'more fields': fields, 'other fields': fields, 'yet other fields': fields },
  async attempt(bytes, path = '') {
    const original = modelFolder(path);
    const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-mutation-'));
    try {
      cpSync(original, folder, { recursive: true });
      writeFileSync(join(folder, relative(original, path)), bytes);
      const model = await readSavedModel(folder);
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
