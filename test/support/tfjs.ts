/** TensorFlow.js itself, in JavaScript on the CPU: what its models should compute. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Tensor as TfjsTensor } from '@tensorflow/tfjs';
import { Tensor } from '../../lib/compiler/ir/tensor.js';

type TensorFlowJs = typeof import('@tensorflow/tfjs');

let loaded: Promise<TensorFlowJs> | undefined;

/** With its CPU backend. */
export function tensorFlowJs(): Promise<TensorFlowJs> {
  loaded ??= import('@tensorflow/tfjs').then(async (tf) => {
    await tf.setBackend('cpu');
    return tf;
  });
  return loaded;
}

interface ModelJson {
  readonly modelTopology: object;
  readonly signature?: object;
  readonly weightsManifest: readonly { readonly paths: readonly string[]; readonly weights: readonly object[] }[];
}

/** What tfjs's loaders take in place of an address. */
export function fromDisk(path: string) {
  const { modelTopology, signature, weightsManifest } = JSON.parse(readFileSync(path, 'utf8')) as ModelJson;
  const shards = weightsManifest.flatMap(({ paths }) => paths.map((name) => readFileSync(join(dirname(path), name))));
  const weightData = new Uint8Array(Buffer.concat(shards)).buffer;
  const weightSpecs = weightsManifest.flatMap(({ weights }) => weights) as never[];
  return {
    load: async () => ({ modelTopology, weightSpecs, weightData, ...(signature === undefined ? {} : { signature }) }),
  };
}

/** The outputs of a graph model for its inputs, by the names of nodes. */
export async function runGraphModel(
  path: string,
  feeds: Readonly<Record<string, Tensor>>,
  outputs: readonly string[],
): Promise<Tensor[]> {
  const tf = await tensorFlowJs();
  const model = await tf.loadGraphModel(fromDisk(path));
  const inputs = Object.fromEntries(
    Object.entries(feeds).map(([name, tensor]) => {
      const dtype = tensor.elementType === 'float32' ? 'float32' : 'int32';
      return [name, tf.tensor(tensor.typed() as Float32Array, [...tensor.dims], dtype)];
    }),
  );
  const results = (await model.executeAsync(inputs, [...outputs])) as TfjsTensor | TfjsTensor[];
  return (Array.isArray(results) ? results : [results]).map((result) => {
    return Tensor.fromTyped(
      result.dtype === 'float32' ? 'float32' : 'int32',
      result.shape,
      result.dataSync() as Float32Array,
    );
  });
}
