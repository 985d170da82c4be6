/** The process that reads damaged models: it may die or hang, which is what the engine in mutation.ts looks for. */
import { readFileSync } from 'node:fs';
import { toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { decodeModel } from '../../lib/compiler/formats/onnx/decode.js';
import { ExternalDataFolder } from '../../lib/compiler/formats/onnx/external-data.js';
import { looksLikeModel } from '../../lib/compiler/formats/onnx/sniff.js';
import { printModel } from '../../lib/compiler/ir/print.js';
import { modelFromProto } from '../../lib/compiler/ir/serialization/from-proto.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { findProblems, validateStructure } from '../../lib/compiler/ir/validation.js';
import { CdkOnnxError } from '../../lib/errors.js';
import { everyField } from './every-field.js';
import type { MutationOutcome, MutationRequest } from './mutation.js';
import { edits, randomFrom } from './mutation-edits.js';

const read = (bytes: Uint8Array) => {
  const model = modelFromProto(decodeModel(bytes), { external: new ExternalDataFolder(import.meta.dirname) });
  validateStructure(model);
  return model;
};

/** Reads damaged bytes as the product does, and if they are still a model, everything that is done with one without running it. */
function attempt(bytes: Uint8Array): string {
  looksLikeModel(bytes.subarray(0, 4096));
  try {
    const model = read(bytes);
    findProblems(model);
    if (bytes.length < 100_000) printModel(model);
    const written = modelToBytes(model);
    if (Buffer.compare(modelToBytes(read(written)), written) !== 0) return 'unstable';
    return 'valid';
  } catch (error) {
    if (error instanceof CdkOnnxError) return error.code;
    return `uncoded: ${error instanceof Error ? error.stack : String(error)}`;
  }
}

process.on('message', ({ seeds, seed, from, to }: MutationRequest) => {
  const originals = [
    ...seeds.map((path) => new Uint8Array(readFileSync(path))),
    toBinary(ModelProtoSchema, everyField()),
  ];
  const kinds = Object.keys(edits);
  for (let index = from; index < to; index++) {
    const random = randomFrom(seed + index);
    const original = originals[Math.floor(random() * originals.length)] as Uint8Array;
    const kind = kinds[index % kinds.length] as string;
    const bytes = (edits[kind] as (typeof edits)[string])(original, random);
    const outcome: MutationOutcome = { index, kind, result: attempt(bytes) };
    process.send?.(outcome);
  }
  process.send?.({ done: true, peakBytes: process.resourceUsage().maxRSS * 1024 });
});
