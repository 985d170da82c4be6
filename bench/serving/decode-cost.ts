/** A tensor of 1 MB as API Gateway hands it over: base64 to a typed array, and JSON text to a typed array. */
import { BodyMemory } from '../../lib/protocol/aligned-body.js';
import { decodeInferRequest } from '../../lib/protocol/infer-request.js';
import { median, type SuiteContext } from '../suite.js';

const WARM_UP_RUNS = 5;
const RUNS = 40;

export function decodeCost({ row, bar }: SuiteContext): void {
  const data = Float32Array.from({ length: 262_144 }, (_, index) => Math.fround(Math.sin(index)));
  const shape = [1, data.length];
  const signature = { inputs: [{ name: 'x', dataType: 'float32', shape }], outputs: [] } as const;
  const input = { name: 'x', shape, datatype: 'FP32' };
  const header = JSON.stringify({ inputs: [{ ...input, parameters: { binary_data_size: data.byteLength } }] });
  const base64 = Buffer.concat([Buffer.from(header), Buffer.from(data.buffer)]).toString('base64');
  const text = JSON.stringify({ inputs: [{ ...input, data: Array.from(data) }] });
  const headerLength = Buffer.byteLength(header);
  const memory = new BodyMemory();
  const binary = () => {
    const bytes = memory.decode(base64, headerLength);
    decodeInferRequest({ kind: 'bytes', bytes, headerLength }, signature);
    memory.reclaim(bytes);
  };
  const json = () => decodeInferRequest({ kind: 'text', text }, signature);
  const times: { binary: number[]; json: number[] } = { binary: [], json: [] };
  for (let run = -WARM_UP_RUNS; run < RUNS; run++) {
    const start = performance.now();
    binary();
    const middle = performance.now();
    json();
    if (run < 0) continue;
    times.binary.push(middle - start);
    times.json.push(performance.now() - middle);
  }
  const [fast, slow] = [median(times.binary), median(times.json)];
  const metric = `median of ${RUNS}`;
  row({ case: 'decode', subject: 'binary, 1 MB', metric, value: fast, unit: 'ms' });
  row({ case: 'decode', subject: 'JSON, the same tensor', metric, value: slow, unit: 'ms' });
  bar('JSON decode / binary decode of 1 MB', slow / fast, { min: 20 });
}
