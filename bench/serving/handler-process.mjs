/**
 * In one process with the real bundle and layer: the handler on a binary V2 request, bare `session.run` on the same tensor, and the two
 * decoders, in turn. Prints one JSON object: lists of milliseconds, and CPU milliseconds per call.
 *
 *   node serving-handler.mjs <bundle> <artifact> <runs>
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [bundle, artifact, runs] = process.argv.slice(2);
process.env.CDK_ONNX_ARTIFACT = artifact;
const { handler } = await import(pathToFileURL(bundle).href);
const { InferenceSession, Tensor } = createRequire(import.meta.url)('onnxruntime-node');
const session = await InferenceSession.create(join(artifact, 'model.onnx'), {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});

const SHAPE = [1, 256, 256, 3];
const data = Float32Array.from({ length: 256 * 256 * 3 }, (_, index) => Math.fround(Math.sin(index)));
const input = { name: 'input:0', shape: SHAPE, datatype: 'FP32' };
const header = Buffer.from(
  JSON.stringify({
    inputs: [{ ...input, parameters: { binary_data_size: data.byteLength } }],
    parameters: { binary_data_output: true },
  }),
);
const event = (body, headers) => ({
  version: '2.0',
  routeKey: 'POST /v2/models/faces/infer',
  rawPath: '/v2/models/faces/infer',
  rawQueryString: '',
  headers,
  requestContext: { http: { method: 'POST', path: '/v2/models/faces/infer' }, stage: '$default', requestId: 'bench' },
  body: body.toString('base64'),
  isBase64Encoded: true,
});
const binary = event(Buffer.concat([header, Buffer.from(data.buffer)]), {
  'content-type': 'application/octet-stream',
  'inference-header-content-length': String(header.length),
});
const check = await handler(binary);
if (check.statusCode !== 200) throw new Error(check.body);

async function timed(call) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await call();
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { wall, cpu: (user + system) / 1000 };
}

const bare = [];
const handled = [];
for (let run = -10; run < Number(runs); run++) {
  const one = await timed(() => session.run({ 'input:0': new Tensor('float32', data, SHAPE) }));
  const other = await timed(() => handler(binary));
  if (run < 0) continue;
  bare.push(one);
  handled.push(other);
}
process.stdout.write(`${JSON.stringify({ bare, handled })}\n`);
