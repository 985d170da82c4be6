/** Each op that TensorFlow has computed, an output each: test/fixtures/conversion/graphdef/make.py. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTfjsModel } from '../../../../lib/compiler/formats/tfjs/model-json.js';
import { convertTfjsGraph } from '../../../../lib/compiler/readers/tensorflow/read-tfjs-graph.js';
import { readConversionFixture, strayingOutputs } from '../../../support/conversion-fixture.js';

const folder = join(import.meta.dirname, '../../../fixtures/conversion/graphdef');
const families = readdirSync(folder).flatMap((name) =>
  name.endsWith('.json') && !name.includes('tolerances') ? [name.replace('.json', '')] : [],
);

describe('ops of a GraphDef, in ONNX', () => {
  it.each(families)('%s: every case computes what TensorFlow computed', async (family) => {
    const model = convertTfjsGraph(await readTfjsModel(join(folder, `${family}.json`)), {});
    const fixture = await readConversionFixture(join(folder, family));
    expect(await strayingOutputs(model, fixture)).toEqual([]);
  });
});
