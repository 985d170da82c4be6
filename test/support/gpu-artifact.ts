/** An artifact with a GPU variant packed for Triton, written by hand: for tests of what comes after the build. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { sha256 } from '../../lib/artifact/digest.js';
import {
  ARCHIVE_DESCRIPTION,
  GPU_FOLDER,
  MODEL_ARCHIVE,
  TRITON_FOLDER,
  type TritonArchive,
} from '../../lib/artifact/triton.js';
import { type ArtifactFolderOptions, writeArtifactFolder } from './artifact-folder.js';
import { tarOf } from './tar-writer.js';

/** Returns the artifact's folder, a new one below `parent`. */
export function writeGpuArtifactFolder(
  parent: string,
  { taskType = 'tensor', assets = {}, ...description }: Partial<TritonArchive> & ArtifactFolderOptions = {},
): string {
  const { name = 'faces' } = description;
  const folder = writeArtifactFolder(parent, { name, taskType, assets });
  const triton = join(folder, GPU_FOLDER, TRITON_FOLDER);
  mkdirSync(triton, { recursive: true });
  const archive = gzipSync(
    tarOf([
      { name: `${name}/config.pbtxt`, content: `name: "${name}"\n` },
      { name: `${name}/1/model.onnx`, content: 'not opened here' },
    ]),
  );
  writeFileSync(join(triton, MODEL_ARCHIVE), archive);
  const complete: TritonArchive = {
    schemaVersion: 1,
    modelVersion: 1,
    precision: 'fp16',
    maxBatchSize: 32,
    tensorRt: false,
    irVersion: 8,
    opsets: { '': 13 },
    sha256: sha256(archive),
    bytes: archive.byteLength,
    ...description,
    name,
  };
  writeFileSync(join(triton, ARCHIVE_DESCRIPTION), JSON.stringify(complete));
  return folder;
}
