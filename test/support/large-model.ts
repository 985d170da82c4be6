/** A model whose weights take hundreds of megabytes, made in a second. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Graph } from '../../lib/compiler/ir/graph.js';
import { Model } from '../../lib/compiler/ir/model.js';
import { Node } from '../../lib/compiler/ir/node.js';
import { writeModel } from '../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { Value } from '../../lib/compiler/ir/value.js';
import { randomFloats } from './random-numbers.js';

/** Width of input and output. */
export const LARGE_MODEL_WIDTH = 4096;
const LAYERS = 5;
const WEIGHTS = LARGE_MODEL_WIDTH ** 2;
/** Random numbers are repeated after so many: an odd count, so that no two rows of a matrix are alike. */
const PERIOD = 1_000_003;

/**
 * Writes `model.json` and its source into `folder`, which has to bear the model's name: five layers of `tanh(x · W)`, 336 MB.
 * Input `x` and output `y` float32 [rows, 4096].
 */
export async function writeLargeModel(folder: string, name: string): Promise<void> {
  const graph = new Graph(name);
  let x = graph.addInput('x', { kind: 'tensor', elementType: 'float32', shape: ['rows', LARGE_MODEL_WIDTH] });
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const data = new Float32Array(WEIGHTS);
    const block = randomFloats(PERIOD, layer + 1, -1 / 32, 1 / 32);
    for (let filled = 0; filled < WEIGHTS; filled += PERIOD) {
      data.set(block.subarray(0, Math.min(PERIOD, WEIGHTS - filled)), filled);
    }
    const dims = [LARGE_MODEL_WIDTH, LARGE_MODEL_WIDTH];
    const weight = graph.addInitializer(`w${layer}`, Tensor.fromTyped('float32', dims, data));
    const product = new Value(`product${layer}`);
    graph.append(new Node('MatMul', [x, weight], [product]));
    x = new Value(`tanh${layer}`);
    graph.append(new Node('Tanh', [product], [x]));
  }
  const y = new Value('y', { kind: 'tensor', elementType: 'float32', shape: ['rows', LARGE_MODEL_WIDTH] });
  graph.append(new Node('Identity', [x], [y]));
  graph.setOutputs([y]);
  const model = new Model(graph, new Map([['', 17]]), { irVersion: 8 });
  await writeModel(model, join(folder, 'source.onnx'), { externalData: { file: 'source.data', minimumBytes: 1024 } });
  writeFileSync(join(folder, 'model.json'), JSON.stringify({ name, source: 'source.onnx' }));
}
