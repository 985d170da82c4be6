/** Plain inference, for its peak memory: onnxruntime-node as people use it, a few runs on a made-up input. `node plain-run.mjs MODEL` */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { InferenceSession, Tensor } = createRequire(import.meta.url)('onnxruntime-node');
const session = await InferenceSession.create(process.argv[2], { logSeverityLevel: 3 });
const dims = JSON.parse(process.argv[3]);
const feeds = Object.fromEntries(
  session.inputMetadata.map(({ name, type }) => {
    const shape = dims[name];
    const length = shape.reduce((product, dim) => product * dim, 1);
    const data = type === 'int64' ? new BigInt64Array(length).fill(1n) : new Float32Array(length).fill(0.5);
    return [name, new Tensor(type, data, shape)];
  }),
);
for (let run = 0; run < 5; run++) await session.run(feeds);
const peak = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
process.stdout.write(`${JSON.stringify({ peakBytes: peak })}\n`);
