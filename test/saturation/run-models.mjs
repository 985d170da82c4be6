/**
 * Runs models with onnxruntime in whatever machine runs this file: `node run-models.mjs <onnxruntime-node> <job.json>`. Plain JavaScript,
 * because the emulated Node.js has no TypeScript. A job lists models, each with feeds; the answers are written beside it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [, , library, jobFile] = process.argv;
const { InferenceSession, Tensor } = createRequire(import.meta.url)(library);
const ARRAYS = { float32: Float32Array, uint8: Uint8Array, int8: Int8Array, int32: Int32Array, int64: BigInt64Array };

const answers = [];
for (const { model, runs } of JSON.parse(readFileSync(jobFile, 'utf8'))) {
  const session = await InferenceSession.create(model, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const results = [];
  for (const feeds of runs) {
    const tensors = Object.fromEntries(
      Object.entries(feeds).map(([name, { dataType, dims, data }]) => {
        const bytes = new Uint8Array(Buffer.from(data, 'base64'));
        return [name, new Tensor(dataType, new ARRAYS[dataType](bytes.buffer), dims)];
      }),
    );
    const outputs = await session.run(tensors);
    results.push(
      Object.fromEntries(
        Object.entries(outputs).map(([name, { type, dims, data }]) => {
          const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
          return [name, { dataType: type, dims, data: bytes.toString('base64') }];
        }),
      ),
    );
  }
  answers.push(results);
  await session.release();
}
writeFileSync(`${jobFile}.answers`, JSON.stringify(answers));
