import { toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { decodeModel } from '../../../lib/compiler/formats/onnx/decode.js';
import { ExternalDataFolder } from '../../../lib/compiler/formats/onnx/external-data.js';
import { looksLikeModel } from '../../../lib/compiler/formats/onnx/sniff.js';
import { printModel } from '../../../lib/compiler/ir/print.js';
import { modelFromProto } from '../../../lib/compiler/ir/serialization/from-proto.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { findProblems, validateStructure } from '../../../lib/compiler/ir/validation.js';
import { CdkOnnxError } from '../../../lib/errors.js';
import { everyField } from '../every-field.js';
import type { MutationSubject } from '../mutation.js';
import { edits } from '../mutation-edits.js';

const read = (bytes: Uint8Array) => {
  const model = modelFromProto(decodeModel(bytes), { external: new ExternalDataFolder(import.meta.dirname) });
  validateStructure(model);
  return model;
};

export const subject: MutationSubject = {
  originals: [toBinary(ModelProtoSchema, everyField())],
  edits,
  /** And if the bytes are still a model, everything that is done with one without running it. */
  attempt(bytes) {
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
  },
};
