/** Bytes of an ONNX file to its message and back. */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type ModelProto, ModelProtoSchema } from 'onnx-buf';
import { ModelFormatError } from '../../../errors.js';
import { type ScanLimits, scanMessage } from '../protobuf/wire-scan.js';

/** What a protobuf message can be: its lengths are signed 32-bit. */
export const MAX_PROTOBUF_BYTES = 2 ** 31 - 1;

/**
 * The message in `bytes`. Weights in raw_data are views on `bytes`, not copies: they must not change afterwards.
 * @throws ModelFormatError MODEL_EMPTY, MODEL_TOO_LARGE, PROTOBUF_… with byte offset and field path
 */
export function decodeModel(bytes: Uint8Array, limits?: Partial<ScanLimits>): ModelProto {
  if (bytes.byteLength === 0) {
    throw new ModelFormatError({
      code: 'MODEL_EMPTY',
      message: 'The model file is empty.',
      advice: 'Download or export it again.',
    });
  }
  if (bytes.byteLength > MAX_PROTOBUF_BYTES) throw tooLarge(bytes.byteLength);
  scanMessage(ModelProtoSchema, bytes, limits);
  try {
    return fromBinary(ModelProtoSchema, plainView(bytes));
  } catch (cause) {
    throw new ModelFormatError({
      code: 'PROTOBUF_DECODE',
      message: `The model cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}.`,
      advice: 'The file is damaged. Download or export it again.',
      cause,
    });
  }
}

/** @throws ModelFormatError MODEL_TOO_LARGE above 2 GiB */
export function encodeModel(proto: ModelProto): Uint8Array {
  const bytes = toBinary(ModelProtoSchema, proto);
  if (bytes.byteLength > MAX_PROTOBUF_BYTES) throw tooLarge(bytes.byteLength);
  return bytes;
}

export function tooLarge(bytes: number): ModelFormatError {
  return new ModelFormatError({
    code: 'MODEL_TOO_LARGE',
    message: `The model takes ${bytes} bytes; a protobuf file holds at most ${MAX_PROTOBUF_BYTES}.`,
    advice: 'Store its weights as external data.',
  });
}

/** A Buffer's subarrays are Buffers; weights should be what their type says. */
function plainView(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
