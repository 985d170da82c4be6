/** Models to bytes and files. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ConfigurationError } from '../../../errors.js';
import { encodeModel, MAX_PROTOBUF_BYTES, tooLarge } from '../../formats/onnx/decode.js';
import { modelChunks } from '../../formats/onnx/model-chunks.js';
import type { Model } from '../model.js';
import { weightsOf } from '../summary.js';
import type { Tensor } from '../tensor.js';
import type { TensorWriter } from './graph-to-proto.js';
import { externalTensor, inlineTensor, tensorToProto } from './tensor-proto.js';
import { modelToProto } from './to-proto.js';

export interface WriteOptions {
  /**
   * `'none'`: everything in one file, at most 2 GiB. Else initializers of at least `minimumBytes` go to `file`, a plain name, beside
   * the model. Default `'none'`.
   */
  readonly externalData?: 'none' | { readonly file: string; readonly minimumBytes: number };
}

/**
 * onnxruntime maps each external tensor into memory instead of reading it. ONNX asks for offsets that are multiples of a page: 4096
 * bytes; on Linux any offset is mapped (from the page before it), on Windows only multiples of 64 KiB, and the rest is read. So large
 * tensors start at a page of their own, and small ones, of which a page would be mostly padding, at a cache line.
 */
const PAGE = 4096;
const PAGE_ALIGNED_FROM = 64 * 1024;
const CACHE_LINE = 64;

const CHUNK = 8 * 2 ** 20;

/**
 * The bytes of a model file; for an untouched model those it was read from (in the field order and with the shortest numbers that
 * protobuf's own writers use; a file written otherwise comes back in that form). Tensors that were read from external data and not changed
 * still refer to it, relative to the folder that the model came from.
 * @throws ModelFormatError MODEL_TOO_LARGE above 2 GiB
 */
export function modelToBytes(model: Model): Uint8Array {
  const size = new InlineSize();
  const writeTensor: TensorWriter = (tensor, name) => {
    if (tensor.storage.kind !== 'external') size.add(tensor);
    return tensorToProto(tensor, name);
  };
  return encodeModel(modelToProto(model, { writeTensor }));
}

/**
 * Writes a model, and its external data if asked for, each to a temporary name first. External data is streamed: at most 8 MiB of it
 * are in memory at once. What a model refers to outside is copied, so that the written model stands alone.
 * The files of the model's own origin may be overwritten; its external tensors must then be read anew.
 * @throws ModelFormatError MODEL_TOO_LARGE, EXTERNAL_DATA_…; ConfigurationError EXTERNAL_DATA_FILE_NAME
 */
export async function writeModel(model: Model, path: string, options: WriteOptions = {}): Promise<void> {
  const { externalData = 'none' } = options;
  if (externalData === 'none') refuseIfTooLarge(model);
  const size = new InlineSize();
  const inline: TensorWriter = (tensor, name) => {
    size.add(tensor);
    return tensor.storage.kind === 'external' ? inlineTensor(tensor, name) : tensorToProto(tensor, name);
  };
  if (externalData === 'none') {
    const chunks = modelChunks(modelToProto(model, { writeTensor: inline }));
    await replaceFile(path, async (file) => {
      let position = 0;
      for (const chunk of chunks) {
        await writeAll(file, chunk, position);
        position += chunk.byteLength;
      }
    });
    return;
  }
  const { file, minimumBytes } = externalData;
  checkFileName(file, path);
  const layout = new ExternalLayout();
  const writeTensor: TensorWriter = (tensor, name) => {
    const { kind } = tensor.storage;
    const inside = name === undefined || kind === 'strings' || tensor.byteLength < Math.max(1, minimumBytes);
    if (inside) return inline(tensor, name);
    const offset = layout.place(tensor);
    return externalTensor(tensor, name, { location: file, offset, length: tensor.byteLength });
  };
  const bytes = encodeModel(modelToProto(model, { writeTensor }));
  if (layout.tensors.size > 0) {
    await replaceFile(join(dirname(path), file), (data) => writeTensors(data, layout));
  }
  await replaceFile(path, (handle) => writeAll(handle, bytes, 0));
}

/** Counts what goes into the message before any of it is copied. */
class InlineSize {
  #bytes = 0;

  add(tensor: Tensor): void {
    this.#bytes += tensor.byteLength;
    if (this.#bytes > MAX_PROTOBUF_BYTES) throw tooLarge(this.#bytes);
  }
}

/** Before external tensors are read, one after the other, to be put into the message. */
function refuseIfTooLarge(model: Model): void {
  const size = new InlineSize();
  for (const { tensor } of weightsOf(model)) size.add(tensor);
}

/** Where each tensor of an external data file starts. A tensor that several values share is stored once. */
class ExternalLayout {
  readonly tensors = new Map<Tensor, number>();
  #end = 0;

  get end(): number {
    return this.#end;
  }

  place(tensor: Tensor): number {
    const known = this.tensors.get(tensor);
    if (known !== undefined) return known;
    const alignment = tensor.byteLength >= PAGE_ALIGNED_FROM ? PAGE : CACHE_LINE;
    const offset = Math.ceil(this.#end / alignment) * alignment;
    this.tensors.set(tensor, offset);
    this.#end = offset + tensor.byteLength;
    return offset;
  }
}

async function writeTensors(file: FileHandle, layout: ExternalLayout): Promise<void> {
  const zeros = Buffer.alloc(CHUNK);
  for (const [tensor, offset] of layout.tensors) {
    let position = offset;
    for (const chunk of tensor.chunks(CHUNK)) {
      // What was a hole stays one: padding, and zeros that a sparse file never stored.
      if (!zeros.subarray(0, chunk.byteLength).equals(chunk)) await writeAll(file, chunk, position);
      position += chunk.byteLength;
    }
  }
  await file.truncate(layout.end);
}

function checkFileName(file: string, path: string): void {
  if (/^[^\\/:\0]+$/.test(file) && file !== '.' && file !== '..' && file !== basename(path)) return;
  throw new ConfigurationError({
    code: 'EXTERNAL_DATA_FILE_NAME',
    message: `'${file}' cannot be the external data file of ${path}.`,
    advice: 'Give a plain file name, other than the model’s; the file is written beside the model.',
  });
}

async function replaceFile(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx');
  try {
    try {
      await write(file);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A single write may take less than it was given. */
async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.byteLength - done, 2 ** 30), position + done);
    done += bytesWritten;
  }
}
