/** Whatever is done to a request, it is read or refused: nothing but a RequestError comes out. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataType, Signature } from '../../lib/artifact/manifest.js';
import { RequestError } from '../../lib/errors.js';
import { decodeInferRequest } from '../../lib/protocol/infer-request.js';
import { encodeInferRequest } from '../support/encode-infer-request.js';
import { formedTensors } from '../support/random-tensors.js';

const outputs = [{ name: 'y', dataType: 'float32', shape: [1] }] as const;
const oneInput = (dataType: DataType): Signature => ({ inputs: [{ name: 'x', dataType, shape: [null] }], outputs });

/** Any change of a body: bytes changed, cut out, put in, or a part twice. */
const edit = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: fc.nat(), byte: fc.nat(255) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), length: fc.nat(40) }),
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), bytes: fc.uint8Array({ maxLength: 12 }) }),
  fc.record({ kind: fc.constant('repeat' as const), at: fc.nat(), length: fc.nat(40) }),
);
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function edited(body: Buffer, change: Edit): Buffer {
  const at = change.at % (body.length + 1);
  const [head, tail] = [body.subarray(0, at), body.subarray(at)];
  switch (change.kind) {
    case 'set':
      return Buffer.concat([head, Buffer.of(change.byte), tail.subarray(1)]);
    case 'cut':
      return Buffer.concat([head, tail.subarray(change.length)]);
    case 'insert':
      return Buffer.concat([head, change.bytes, tail]);
    case 'repeat':
      return Buffer.concat([head, tail.subarray(0, change.length), tail]);
  }
}

describe('a damaged request', () => {
  it('is read or refused with a RequestError, whatever was done to its bytes', () => {
    const codes = new Map<string, number>();
    fc.assert(
      fc.property(
        formedTensors,
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: -3, max: 3 }),
        (inputs, edits, shift) => {
          const { text, binary } = encodeInferRequest({ inputs, outputForm: 'binary' });
          const body = edits.reduce(edited, Buffer.concat([Buffer.from(text), ...binary]));
          const headerLength = Math.max(0, Buffer.byteLength(text) + shift);
          const anySize = inputs.map((input) => ({ ...input, shape: input.shape.map(() => null) }));
          const signature: Signature = { inputs: anySize, outputs };
          for (const lengths of [{ headerLength }, {}]) {
            try {
              decodeInferRequest({ kind: 'bytes', bytes: body, ...lengths }, signature);
            } catch (error) {
              if (!(error instanceof RequestError)) throw error;
              expect(error.status).toBe(400);
              codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
            }
          }
        },
      ),
      { numRuns: 2000 },
    );
    // The edits reach further than the JSON parser.
    expect([...codes.keys()].length).toBeGreaterThan(6);
  });

  it('is read or refused with a RequestError, whatever JSON stands in its places', () => {
    const strange = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom(2 ** 53, -1, 1e308, '__proto__', [[]], [[[1]]]),
    );
    const entry = fc.record(
      {
        name: fc.oneof(fc.constantFrom('x', 'y', '__proto__'), strange),
        datatype: fc.oneof(fc.constantFrom('INT64', 'FP32', 'BYTES'), strange),
        shape: fc.oneof(fc.constantFrom([1], [2, 2], [0], []), strange),
        data: strange,
        parameters: fc.oneof(fc.record({ binary_data_size: strange }), strange),
      },
      { requiredKeys: [] },
    );
    const request = fc.record(
      {
        id: strange,
        inputs: fc.oneof(fc.array(entry, { maxLength: 3 }), strange),
        outputs: fc.oneof(fc.array(entry), strange),
        parameters: strange,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(request, fc.constantFrom<DataType>('int64', 'float32', 'string'), (document, dataType) => {
        const signature = oneInput(dataType);
        try {
          decodeInferRequest({ kind: 'text', text: JSON.stringify(document) }, signature);
        } catch (error) {
          if (!(error instanceof RequestError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('with a million brackets is refused', () => {
    for (const text of ['['.repeat(1_000_000), `{"inputs":${'['.repeat(100_000)}${']'.repeat(100_000)}}`]) {
      expect(() => decodeInferRequest({ kind: 'text', text }, oneInput('float32'))).toThrow(RequestError);
    }
  });
});
