import type { Model } from '../ir/model.js';
import type { ModelSource } from './source.js';

export interface ReadOptions {
  /** Which of a model's signatures, for formats that have any. */
  readonly signature?: string | undefined;
}

/** One source format: a model file or folder in, the IR out. */
export interface Reader {
  /** As people call the format: "ONNX". */
  readonly name: string;
  /** Whether a model may have several signatures, which name its inputs and outputs. Default false. */
  readonly hasSignatures?: boolean;
  /** Whether a file is of this format, by its content. A damaged file of the format should match, so that `read` can say what is wrong. */
  match(source: ModelSource): boolean;
  read(path: string, options?: ReadOptions): Promise<Model>;
}
