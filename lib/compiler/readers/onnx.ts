/** ONNX files. */
import { dirname, resolve } from 'node:path';
import { readWholeFile } from '../formats/file.js';
import { decodeModel, MAX_PROTOBUF_BYTES } from '../formats/onnx/decode.js';
import { ExternalDataFolder } from '../formats/onnx/external-data.js';
import { looksLikeModel } from '../formats/onnx/sniff.js';
import type { Model } from '../ir/model.js';
import { modelFromProto } from '../ir/serialization/from-proto.js';
import { validateStructure } from '../ir/validation.js';
import type { Reader } from './reader.js';

/**
 * Reads an ONNX file with its weights: those inside it as views on its bytes, those beside it when someone asks for them.
 * @throws ModelFormatError for bytes that are no ONNX or external data that may not be read, GraphError for a graph that is not well
 * formed (see `validateStructure`)
 */
export async function readOnnx(path: string): Promise<Model> {
  const bytes = await readWholeFile(path, MAX_PROTOBUF_BYTES);
  const model = modelFromProto(decodeModel(bytes), { external: new ExternalDataFolder(dirname(resolve(path))) });
  validateStructure(model);
  return model;
}

export const onnxReader: Reader = {
  name: 'ONNX',
  match: (source) => looksLikeModel(source.head),
  read: readOnnx,
};
