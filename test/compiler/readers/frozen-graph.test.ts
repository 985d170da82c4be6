import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel, readModel } from '../../../lib/compiler/readers/read-model.js';
import { readConversionFixture, strayingOutputs } from '../../support/conversion-fixture.js';
import { useDataFolder } from '../../support/data-folder.js';
import { refusalOf } from '../../support/refusal.js';

const fixtures = join(import.meta.dirname, '../../fixtures/conversion/graphdef');

const folder = useDataFolder();

describe('a frozen graph', () => {
  it('takes placeholders, returns what nothing reads, and computes what TensorFlow computed', async () => {
    const path = join(fixtures, 'frozen.pb');
    await using opened = await openModel(path);
    expect(opened.reader.name).toBe('TensorFlow frozen graph');
    const model = await readModel(path);
    expect(model.graph.inputs.map(({ name, type }) => [name, type])).toEqual([
      ['image', { kind: 'tensor', elementType: 'float32', shape: ['image_dim0', 8, 8, 3] }],
    ]);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['scores', 'label']);
    expect(await strayingOutputs(model, await readConversionFixture(join(fixtures, 'frozen')))).toEqual([]);
    // The shape that the graph computes is a plain one.
    expect(model.graph.nodes.some((node) => node.is('Shape'))).toBe(false);
    expect(model.graph.nodes.map(({ name }) => name)).toContain('conv/Conv2D/Conv');
  });

  it('is refused where it is cut off', async () => {
    folder.put('cut.pb', readFileSync(join(fixtures, 'frozen.pb')).subarray(0, 900));
    const error = await refusalOf(() => readModel(join(folder.path, 'cut.pb')));
    expect(error.code).toBe('PROTOBUF_TRUNCATED');
  });
});
