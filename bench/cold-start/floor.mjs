/**
 * The floor: the native binding alone, the same artifact and session options as ours, one run on inputs from a file. No event is
 * decoded, and all has happened when the module is loaded; the handler only hands out what came out.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const ARRAYS = { float32: Float32Array, int64: BigInt64Array };

class Tensor {
  location = 'cpu';
  constructor(type, data, dims) {
    this.type = type;
    this.data = data;
    this.dims = dims;
  }
}

const { binding: path, model, options, inputs } = JSON.parse(readFileSync('floor.json', 'utf8'));
const bytes = readFileSync('inputs.bin');
const binding = createRequire(import.meta.url)(path);
const start = performance.now();
binding.initOrtOnce(2, Tensor, true);
const session = new binding.InferenceSession();
session.loadModel(model, options);
const created = performance.now();
const feeds = {};
let offset = 0;
for (const { name, dataType, shape, bytes: length } of inputs) {
  const data = new ARRAYS[dataType](new Uint8Array(bytes.subarray(offset, offset + length)).buffer);
  feeds[name] = new Tensor(dataType, data, shape);
  offset += length;
}
const names = session.outputMetadata.map(({ name }) => name);
const results = session.run(feeds, Object.fromEntries(names.map((name) => [name, null])), {});
const times = { SessionCreationTime: created - start, WarmUpTime: performance.now() - created };
process.stdout.write(`${JSON.stringify(times)}\n`);

export async function handler() {
  const outputs = names.map((name) => results[name].data);
  const pieces = outputs.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength));
  return { statusCode: 200, body: Buffer.concat(pieces).toString('base64') };
}
