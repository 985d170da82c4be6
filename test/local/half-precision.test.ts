/** float16 in and out through the whole endpoint, on Node.js without Float16Array and with it: every one of its 65,536 bit patterns. */
import { describe, expect, it } from 'vitest';
import { fromFloat16Bits } from '../../lib/protocol/float16.js';
import { type SentRequest, send } from '../support/bad-request-table.js';
import { NODES_UNDER_TEST, requireNode } from '../support/node24.js';
import { serveEndpoint } from '../support/served-endpoint.js';

const EVERY = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
const FINITE = EVERY.filter((bits) => (bits & 0x7c00) !== 0x7c00);

const document = (length: number, rest: string) =>
  `{"inputs":[{"name":"x","datatype":"FP16","shape":[${length}],${rest}}]${length === EVERY.length ? ',"parameters":{"binary_data_output":true}' : ''}}`;
const literal = (bits: number) => {
  const value = fromFloat16Bits(bits);
  return Object.is(value, -0) ? '-0.0' : String(value);
};
const isSame = (numbers: readonly number[], bits: Uint16Array) =>
  numbers.length === bits.length &&
  numbers.every((value, index) => Object.is(value, fromFloat16Bits(bits[index] ?? 0)));

describe.each(NODES_UNDER_TEST)('on $name', (target) => {
  it('float16 comes back bit for bit: binary, in JSON, and as TensorFlow Serving has it', async ({ skip }) => {
    const endpoint = await serveEndpoint({
      faces: false,
      echoes: { half: [{ name: 'x', dataType: 'float16', shape: ['N'] }] },
      node: requireNode(target, skip),
    });
    const answered = async (request: SentRequest) => {
      const answer = await send(endpoint.host.url, request);
      expect(answer.status, answer.body.toString('utf8', 0, 300)).toBe(200);
      return answer;
    };
    try {
      const path = '/v2/models/half/infer';
      const head = Buffer.from(document(EVERY.length, `"parameters":{"binary_data_size":${EVERY.byteLength}}`));
      const binary = await answered({
        path,
        body: Buffer.concat([head, Buffer.from(EVERY.buffer)]),
        headers: { 'inference-header-content-length': head.length },
      });
      const length = Number(binary.headers['inference-header-content-length']);
      expect(JSON.parse(binary.body.toString('utf8', 0, length)).outputs[0]).toMatchObject({ datatype: 'FP16' });
      expect(binary.body.subarray(length).equals(Buffer.from(EVERY.buffer))).toBe(true);

      const literals = Array.from(FINITE, literal).join(',');
      const json = await answered({ path, body: document(FINITE.length, `"data":[${literals}]`) });
      const [output] = JSON.parse(json.body.toString()).outputs;
      expect([output.datatype, output.shape]).toEqual(['FP16', [FINITE.length]]);
      expect(isSame(output.data, FINITE)).toBe(true);

      const rows = await answered({ path: '/v1/models/half:predict', body: `{"instances":[${literals}]}` });
      expect(isSame(JSON.parse(rows.body.toString()).predictions, FINITE)).toBe(true);
    } finally {
      await endpoint.close();
    }
  });
});
