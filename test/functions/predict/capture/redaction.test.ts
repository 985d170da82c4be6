/** Whatever a body is made of: nothing is left of what is redacted, and what is kept is what it was. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactTensorFlow } from '../../../../functions/predict/capture/redact-tensorflow.js';
import { redactV2 } from '../../../../functions/predict/capture/redact-v2.js';
import type { Redaction, Redactions } from '../../../../lib/artifact/capture.js';
import type { Signature } from '../../../../lib/artifact/manifest.js';
import { decodeInferRequest } from '../../../../lib/protocol/infer-request.js';
import type { NamedTensor, TensorForm } from '../../../../lib/protocol/tensor.js';
import { encodeInferRequest } from '../../../support/encode-infer-request.js';

const SECRET = 'k4n4r1';
const redaction = fc.constantFrom<(Redaction | undefined)[]>('drop', 'replace', undefined);
const form = fc.constantFrom<TensorForm[]>('json', 'binary');
const numbers = fc.record({ data: fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 8 }), form, redaction });
const texts = fc.record({
  data: fc.array(
    fc.string({ maxLength: 5 }).filter((text) => !text.includes('\0')),
    { maxLength: 8 },
  ),
  form,
  redaction,
});
/** Up to four tensors; texts that are redacted are secret. */
const tensors = fc
  .array(
    fc.oneof(
      numbers.map((of) => ({ kind: 'numbers' as const, ...of })),
      texts.map((of) => ({ kind: 'texts' as const, ...of })),
    ),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map((list) =>
    list.map((each, index) => {
      const common = { name: `t${index}`, shape: [each.data.length], form: each.form, redaction: each.redaction };
      if (each.kind === 'numbers') return { ...common, dataType: 'int32' as const, data: Int32Array.from(each.data) };
      const isSecret = each.redaction !== undefined;
      return {
        ...common,
        dataType: 'string' as const,
        data: each.data.map((text) => (isSecret ? `${SECRET}${text}` : text)),
      };
    }),
  );
const redactionsOf = (
  list: readonly { readonly name: string; readonly redaction: Redaction | undefined }[],
): Redactions => Object.fromEntries(list.flatMap(({ name, redaction: of }) => (of === undefined ? [] : [[name, of]])));

describe('a body of V2', () => {
  it('keeps what is not redacted as it is, and of the rest at most names, types and shapes', () => {
    fc.assert(
      fc.property(tensors, (list) => {
        const { text, binary } = encodeInferRequest({ inputs: list });
        const head = Buffer.from(text);
        const isBinary = binary.length > 0;
        const body = { bytes: Buffer.concat([head, ...binary]), headerLength: isBinary ? head.length : undefined };
        const redacted = redactV2(body, 'inputs', redactionsOf(list));
        expect(redacted).toBeDefined();
        expect(redacted?.bytes.includes(SECRET)).toBe(false);
        const left = list.filter((each) => each.redaction !== 'drop');
        if (left.length === 0) return;
        const signature: Signature = {
          inputs: left.map(({ name, dataType }) => ({ name, dataType, shape: ['N'] })),
          outputs: [{ name: 'y', dataType: 'int32', shape: ['N'] }],
        };
        // Read by the protocol's own decoder: the body is whole.
        const decoded = decodeInferRequest(
          redacted?.headerLength === undefined
            ? { kind: 'text', text: redacted?.bytes.toString() ?? '' }
            : { kind: 'bytes', bytes: redacted.bytes, headerLength: redacted.headerLength },
          signature,
        );
        expect(decoded.inputs.map(plain)).toEqual(
          left.map(({ redaction: of, ...tensor }) => {
            const { data, ...others } = plain(tensor);
            return {
              ...others,
              data: of === undefined ? data : data.map((value) => (typeof value === 'string' ? '' : 0)),
            };
          }),
        );
      }),
    );
  });

  it.each([
    ['is no JSON', 'no json', undefined],
    ['is cut off', '{"inputs":[{"name":"a"', undefined],
    ['is a list', '[]', undefined],
    ['has no tensors', '{}', undefined],
    ['has a tensor without a name', '{"inputs":[{"data":[1]}]}', undefined],
    ['has fewer bytes than it says', '{"inputs":[{"name":"a","parameters":{"binary_data_size":9}}]}', 61],
    ['has a size that is none', '{"inputs":[{"name":"a","parameters":{"binary_data_size":-1}}]}', undefined],
    [
      'has texts of no shape',
      '{"inputs":[{"name":"b","datatype":"BYTES","parameters":{"binary_data_size":4}}]}xxxx',
      80,
    ],
  ])('that %s is not kept', (_, text, headerLength) => {
    expect(redactV2({ bytes: Buffer.from(text), headerLength }, 'inputs', { b: 'replace' })).toBeUndefined();
  });

  it('that is followed by bytes of no tensor is not kept', () => {
    const head = '{"inputs":[]}';
    const body = { bytes: Buffer.from(`${head}${SECRET}`), headerLength: head.length };
    expect(redactV2(body, 'inputs', { a: 'drop' })).toBeUndefined();
  });
});

describe('a body of TensorFlow Serving', () => {
  const names = ['a', 'b'];
  const redactions: Redactions = { b: 'drop' };
  const redact = (document: unknown, which: 'inputs' | 'outputs' = 'inputs') =>
    redactTensorFlow(JSON.stringify(document), which, names, redactions);

  it('keeps nothing of what is redacted in rows and columns', () => {
    const value = fc.oneof(fc.constant(SECRET), fc.constant([[SECRET]]), fc.constant({ b64: SECRET }));
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        fc.boolean(),
        (values, isRows, replaces) => {
          const rows = values.map((of, index) => ({ a: index, b: of }));
          const document = isRows ? { instances: rows } : { inputs: { a: values.map((_, index) => index), b: values } };
          const text = redactTensorFlow(JSON.stringify(document), 'inputs', names, {
            b: replaces ? 'replace' : 'drop',
          });
          expect(text).toBeDefined();
          expect(text).not.toContain(SECRET);
          const { instances, inputs } = JSON.parse(text ?? '');
          expect(isRows ? instances.map((row: { a: number }) => row.a) : inputs.a).toEqual(
            values.map((_, index) => index),
          );
        },
      ),
    );
  });

  it.each([
    [{ instances: [1, 2] }],
    [{ instances: [{ a: 1, c: SECRET }] }],
    [{ instances: { a: 1 } }],
    [{ inputs: [1] }],
    [{ inputs: { c: 1 } }],
    [{ error: SECRET }],
    [{ instances: [{ a: 1 }], signature: SECRET }],
    [[]],
    [null],
    ['text'],
  ])('%j is not kept', (document) => {
    expect(redact(document)).toBeUndefined();
  });

  it('of predictions with names keeps the others', () => {
    expect(redact({ predictions: [{ a: 1, b: 2 }] }, 'outputs')).toBe('{"predictions":[{"a":1}]}');
    expect(redact({ outputs: { a: [1], b: [2] } }, 'outputs')).toBe('{"outputs":{"a":[1]}}');
    expect(redact({ predictions: [1, 2] }, 'outputs')).toBeUndefined();
  });
});

function plain({ name, dataType, shape, data }: NamedTensor) {
  return { name, dataType, shape: [...shape], data: Array.from(data as ArrayLike<unknown>) };
}
