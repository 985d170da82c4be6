/** Answers of two versions, as Open Inference Protocol V2 and others have them. */
import { describe, expect, test } from 'vitest';
import type { Answer } from '../../../functions/pre-traffic/answer.js';
import { compareAnswers } from '../../../functions/pre-traffic/compare/compare-answers.js';
import { toFloat16Bits } from '../../../lib/protocol/float16.js';
import { encodeInferResponse } from '../../../lib/protocol/infer-response.js';
import type { NamedTensor, TensorForm } from '../../../lib/protocol/tensor.js';

const comparison = { tolerance: { absolute: 0.01, relative: 0.1 }, compare: 'values' as const };

const tensor = (change: Partial<NamedTensor> = {}): NamedTensor => ({
  name: 'y',
  dataType: 'float32',
  shape: [4],
  data: Float32Array.of(0, 1, 100, -100),
  ...change,
});
const inferAnswer = (form: TensorForm, ...tensors: NamedTensor[]): Answer => {
  const { text, binary } = encodeInferResponse({
    modelName: 'm',
    modelVersion: '1',
    outputs: tensors.map((each) => ({ ...each, form })),
  });
  const isBinary = binary.length > 0;
  return {
    status: 200,
    headers: isBinary
      ? {
          'content-type': 'application/octet-stream',
          'inference-header-content-length': String(Buffer.byteLength(text)),
        }
      : { 'content-type': 'application/json' },
    body: Buffer.concat([Buffer.from(text), ...binary]),
  };
};
const json = (document: unknown, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'application/json; charset=utf-8' },
  body: Buffer.from(JSON.stringify(document)),
});
const differ = (live: Answer, next: Answer, changes: Partial<Parameters<typeof compareAnswers>[2]> = {}) =>
  compareAnswers(live, next, { ...comparison, ...changes });

describe.each<TensorForm>(['json', 'binary'])('tensors as %s', (form) => {
  const compared = (live: Partial<NamedTensor>, next: Partial<NamedTensor>) =>
    differ(inferAnswer(form, tensor(live)), inferAnswer(form, tensor(next)));

  test('are the same up to absolute + relative tolerance of each element', () => {
    expect(compared({}, { data: Float32Array.of(0.0099, 1.1, 109, -110) })).toEqual([]);
    expect(compared({}, { data: Float32Array.of(0.0101, 1, 100, -111) })).toEqual([
      { kind: 'apart', name: 'y', elements: 2, of: 4, largest: 11 },
    ]);
  });

  test('of half precision are compared as numbers', () => {
    const halves = (...values: number[]) => ({
      dataType: 'float16' as const,
      shape: [2],
      data: Uint16Array.from(values.map(toFloat16Bits)),
    });
    expect(compared(halves(1, 2), halves(1.05, 2))).toEqual([]);
    expect(compared(halves(1, 2), halves(1, 3))).toEqual([
      { kind: 'apart', name: 'y', elements: 1, of: 2, largest: 1 },
    ]);
  });

  test('of integers, texts and truth have to be equal, beyond 2^53 too', () => {
    const large = (value: bigint) => ({ dataType: 'int64' as const, shape: [1], data: BigInt64Array.of(value) });
    expect(compared(large(2n ** 60n), large(2n ** 60n))).toEqual([]);
    expect(compared(large(2n ** 60n), large(2n ** 60n + 1n))).toEqual([
      { kind: 'unequal', name: 'y', elements: 1, of: 1 },
    ]);
    const texts = (text: string) => ({ dataType: 'string' as const, shape: [1], data: [text] });
    expect(compared(texts('cat'), texts('dog'))).toEqual([{ kind: 'unequal', name: 'y', elements: 1, of: 1 }]);
    const truth = (value: number) => ({ dataType: 'bool' as const, shape: [1], data: Uint8Array.of(value) });
    expect(compared(truth(1), truth(0))).toEqual([{ kind: 'unequal', name: 'y', elements: 1, of: 1 }]);
  });

  test('are the same whatever their order, and not with other names, types or shapes', () => {
    const z = tensor({ name: 'z' });
    expect(differ(inferAnswer(form, tensor(), z), inferAnswer(form, z, tensor()))).toEqual([]);
    expect(differ(inferAnswer(form, tensor(), z), inferAnswer(form, tensor()))).toEqual([
      { kind: 'missing', name: 'z' },
    ]);
    expect(differ(inferAnswer(form, tensor()), inferAnswer(form, tensor(), z))).toEqual([{ kind: 'added', name: 'z' }]);
    expect(compared({}, { shape: [2, 2] })).toEqual([{ kind: 'form', name: 'y' }]);
    expect(compared({}, { dataType: 'float64', data: Float64Array.of(0, 1, 100, -100) })).toEqual([
      { kind: 'form', name: 'y' },
    ]);
  });

  test('may have other values and shapes where only the form counts', () => {
    const next = inferAnswer(form, tensor({ shape: [1], data: Float32Array.of(7) }));
    expect(differ(inferAnswer(form, tensor()), next, { compare: 'form' })).toEqual([]);
    expect(differ(inferAnswer(form, tensor()), inferAnswer(form, tensor({ name: 'z' })), { compare: 'form' })).toEqual([
      { kind: 'added', name: 'z' },
      { kind: 'missing', name: 'y' },
    ]);
  });
});

test('infinities and what is no number are themselves', () => {
  const special = (...values: number[]) =>
    inferAnswer('binary', tensor({ shape: [3], data: Float32Array.from(values) }));
  const { NaN: none, POSITIVE_INFINITY: infinite } = Number;
  expect(differ(special(none, infinite, -infinite), special(none, infinite, -infinite))).toEqual([]);
  expect(differ(special(none, infinite, 1), special(1, 1, none))).toEqual([
    { kind: 'apart', name: 'y', elements: 3, of: 3, largest: 'infinite' },
  ]);
});

describe('other documents', () => {
  const faces = (...scores: number[]) =>
    json({
      id: String(Math.random()),
      predictions: scores.map((score) => ({ label: 'face', score, box: { xmin: 10 } })),
    });

  test('are compared leaf by leaf, one line for each place', () => {
    expect(differ(faces(0.9, 0.8), faces(0.95, 0.8))).toEqual([]);
    expect(differ(faces(0.9, 0.8, 0.5), faces(0.5, 0.1, 0.5))).toEqual([
      { kind: 'apart', name: 'predictions[].score', elements: 2, of: 3, largest: expect.closeTo(0.7) },
    ]);
    expect(differ(faces(0.9), faces(0.9, 0.8))).toEqual([{ kind: 'form', name: 'predictions' }]);
  });

  test('that are nested otherwise are not the same', () => {
    expect(differ(json({ a: { b: 1 } }), json({ a: [1] }))).toEqual([{ kind: 'form', name: 'a' }]);
    expect(differ(json({ a: 1 }), json({ a: null, b: 2 }))).toEqual([
      { kind: 'added', name: 'b' },
      { kind: 'form', name: 'a' },
    ]);
    expect(differ(json({ a: null }), json({ a: null }))).toEqual([]);
  });

  test('of another media type, and bytes that nobody knows, have to be equal', () => {
    const picture = (byte: number): Answer => ({
      status: 200,
      headers: { 'content-type': 'image/png' },
      body: Buffer.of(byte),
    });
    expect(differ(picture(1), picture(1))).toEqual([]);
    expect(differ(picture(1), picture(2))).toEqual([{ kind: 'unequal', name: 'body', elements: 1, of: 1 }]);
    expect(differ(picture(1), json({}))).toEqual([
      { kind: 'content-type', live: 'image/png', new: 'application/json' },
    ]);
  });
});
