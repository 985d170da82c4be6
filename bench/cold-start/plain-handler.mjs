/**
 * What everyone does: onnxruntime-node as published, a model with its weights inside, default options, and a handler around it. The body
 * holds the inputs' bytes one after the other, in base64, and so does the answer with the outputs'.
 */
import { readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const ARRAYS = { float32: Float32Array, int64: BigInt64Array };

const inputs = JSON.parse(readFileSync('inputs.json', 'utf8'));
const start = performance.now();
const session = await InferenceSession.create('model.onnx');
process.stdout.write(`${JSON.stringify({ SessionCreationTime: performance.now() - start })}\n`);

export async function handler(event) {
  const body = Buffer.from(event.body, 'base64');
  const feeds = {};
  let offset = 0;
  for (const { name, dataType, shape, bytes } of inputs) {
    const data = new ARRAYS[dataType](new Uint8Array(body.subarray(offset, offset + bytes)).buffer);
    feeds[name] = new Tensor(dataType, data, shape);
    offset += bytes;
  }
  const results = await session.run(feeds);
  const outputs = session.outputNames.map((name) => results[name].data);
  const pieces = outputs.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength));
  return { statusCode: 200, body: Buffer.concat(pieces).toString('base64') };
}
