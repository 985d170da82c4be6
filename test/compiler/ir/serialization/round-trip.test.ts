import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeModel } from '../../../../lib/compiler/formats/onnx/decode.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { printModel } from '../../../../lib/compiler/ir/print.js';
import { modelFromProto } from '../../../../lib/compiler/ir/serialization/from-proto.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { graphsOf } from '../../../../lib/compiler/ir/traversal.js';
import type { Value } from '../../../../lib/compiler/ir/value.js';
import { hasOnnxTestdata, testModels } from '../../../support/onnx-testdata.js';
import { realModels } from '../../../support/real-models.js';
import { withoutOrigins } from '../../../support/without-origins.js';

const read = (bytes: Uint8Array) => modelFromProto(decodeModel(bytes));
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

function valuesOf(model: Model): Set<Value> {
  const values = new Set<Value>();
  for (const graph of graphsOf(model)) {
    for (const value of [...graph.inputs, ...graph.initializers, ...graph.nodes.flatMap((node) => node.outputs)]) {
      if (value !== undefined) values.add(value);
    }
  }
  return values;
}

/** Renames every value: everything that refers to one has to be written anew. */
function rename(model: Model, change: (name: string) => string): Model {
  for (const value of valuesOf(model)) value.name = change(value.name);
  return model;
}

describe.each(Object.entries(realModels))('%s', (_name, path) => {
  const bytes = readFileSync(path);

  test('an untouched model comes back to the byte', () => {
    expect(same(modelToBytes(read(bytes)), bytes)).toBe(true);
  });

  test('renamed and renamed back, with a write and a read in between, it is the same to the byte', () => {
    const renamed = modelToBytes(rename(read(bytes), (name) => `${name}~`));
    expect(same(renamed, bytes)).toBe(false);
    expect(same(modelToBytes(rename(read(renamed), (name) => name.slice(0, -1))), bytes)).toBe(true);
  });

  test('without the messages it came from, it is written as a model that means the same', () => {
    const model = read(bytes);
    const rewritten = read(modelToBytes(withoutOrigins(model)));
    expect(printModel(rewritten)).toBe(printModel(model));
    expect(rewritten.graph.origin).not.toBe(model.graph.origin);
  });
});

test('weights are views on the bytes of the file', () => {
  const bytes = new Uint8Array(readFileSync(realModels.blazefaceFront));
  const model = read(bytes);
  const [value] = [...model.graph.initializers].filter(({ initializer }) => (initializer?.byteLength ?? 0) > 1000);
  expect(value?.initializer?.bytes().buffer).toBe(bytes.buffer);
});

if (hasOnnxTestdata) {
  const models = testModels();

  test('all of libonnx-testdata is there', () => {
    expect(models).toHaveLength(1072);
  });

  test('every model of libonnx-testdata comes back to the byte', () => {
    const different = models.filter(({ path }) => {
      const bytes = readFileSync(path);
      return !same(modelToBytes(read(bytes)), bytes);
    });
    expect(different.map(({ name }) => name)).toEqual([]);
  });

  test('every model of libonnx-testdata means the same when it is written without the messages it came from', () => {
    const different = models.filter(({ path }) => {
      const model = read(readFileSync(path));
      return printModel(read(modelToBytes(withoutOrigins(model)))) !== printModel(model);
    });
    expect(different.map(({ name }) => name)).toEqual([]);
  });
} else {
  test.skipIf(process.env.CI !== 'true')('skipped: needs libonnx-testdata (apt-get install libonnx-testdata)', () => {
    expect.fail('libonnx-testdata is missing');
  });
}
