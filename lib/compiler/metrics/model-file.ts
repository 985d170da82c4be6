/** A model as a file that sessions can open, for as long as it is needed. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Model } from '../ir/model.js';
import { writeModel } from '../ir/serialization/write.js';

export interface ModelFile extends AsyncDisposable {
  readonly path: string;
}

/** A path stays where it is; a model is written to a temporary folder, its weights beside it as in an artifact. */
export async function asModelFile(model: Model | string): Promise<ModelFile> {
  if (typeof model === 'string') return { path: model, [Symbol.asyncDispose]: async () => undefined };
  const folder = await mkdtemp(join(tmpdir(), 'cdk-onnx-model-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, 'model.onnx');
    await writeModel(model, path, { externalData: { file: 'model.onnx.data', minimumBytes: 1024 } });
    return { path, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
