import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import type { Tensor } from '../../../lib/compiler/ir/tensor.js';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { readModel } from '../../../lib/compiler/readers/read-model.js';
import { largestRelativeDifference, toOrt, toOrtFeeds } from '../../support/compare-outputs.js';
import { readConversionFixture, strayingOutputs } from '../../support/conversion-fixture.js';
import { refusalOf } from '../../support/refusal.js';
import { runModel } from '../../support/run-model.js';
import { runGraphModel } from '../../support/tfjs.js';
import { basicPitch, languageDetection, sentenceEncoder } from '../../support/tfjs-models.js';

const MAGNITUDES = 'StatefulPartitionedCall/model_1/cq_t2010v2_1/Sqrt_1';

describe('real TensorFlow.js graph models compute what tfjs computes', () => {
  it('basic-pitch: notes of a sound', async () => {
    const model = await readModel(basicPitch.path);
    expect(model.graph.inputs.map(({ name, type }) => [name, type])).toEqual([
      ['input_2', { kind: 'tensor', elementType: 'float32', shape: ['input_2_dim0', 43844, 1] }],
    ]);
    // The magnitudes in front of the logarithms too, which make much of what rounding leaves in quiet bands.
    const magnitudes = model.graph.nodes
      .flatMap(({ outputs }) => outputs)
      .find((value) => value?.name === `${MAGNITUDES}/Sqrt`);
    model.graph.setOutputs([...model.graph.outputs, magnitudes as Value]);
    const outputs = await runModel(modelToBytes(model), toOrtFeeds(basicPitch.feeds));
    const [early] = await runGraphModel(basicPitch.path, basicPitch.feeds, [MAGNITUDES]);
    const late = await basicPitch.expected();
    const differences = [`${MAGNITUDES}/Sqrt`, ...basicPitch.outputs].map((name, index) => {
      const reference = toOrt([early, ...late][index] as Tensor);
      return largestRelativeDifference({ y: outputs[name] as OrtTensor }, { y: reference });
    });
    expect(differences[0]).toBeLessThan(1e-5);
    expect(Math.max(...differences)).toBeLessThan(5e-4);
  }, 600_000);

  it('the universal sentence encoder, lite: sparse inputs, attention, segments', async () => {
    const model = await readModel(sentenceEncoder.path);
    const outputs = await runModel(modelToBytes(model), toOrtFeeds(sentenceEncoder.feeds));
    expect(Object.keys(outputs)).toEqual(sentenceEncoder.outputs);
    const [expected] = await sentenceEncoder.expected();
    const [actual] = Object.values(outputs) as OrtTensor[];
    expect(largestRelativeDifference({ y: actual as OrtTensor }, { y: toOrt(expected as Tensor) })).toBeLessThan(1e-5);
  }, 120_000);
});

/** What the damages below look at. */
interface ModelDocument {
  modelTopology?: { readonly node: readonly { readonly name: string; readonly input: string[] }[] };
  modelInitializer?: object;
  readonly signature: { readonly inputs: { readonly x: { name: string } } };
  readonly weightsManifest: readonly [
    { readonly paths: string[]; readonly weights: readonly [{ name: string; shape: readonly number[] }] },
  ];
}

describe('a TensorFlow.js graph model', () => {
  const sharded = join(import.meta.dirname, '../../fixtures/conversion/graphdef/sharded');

  it('has weights of every type and quantization, in shards that end in the middle of an element', async () => {
    const model = await readModel(join(sharded, 'model.json'));
    expect(await strayingOutputs(model, await readConversionFixture(join(sharded, 'model')))).toEqual([]);
  });

  it('takes and returns integers as tfjs has them, in 32 bits', async () => {
    const { graph } = await readModel(sentenceEncoder.path);
    expect(graph.inputs.map(({ name, elementType }) => [name, elementType])).toEqual([
      ['indices', 'int32'],
      ['values', 'int32'],
    ]);
  });

  const damaged = (change: (document: ModelDocument) => unknown) => {
    const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-tfjs-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    for (const name of readdirSync(sharded)) copyFileSync(join(sharded, name), join(folder, name));
    const document = JSON.parse(readFileSync(join(sharded, 'model.json'), 'utf8'));
    change(document);
    writeFileSync(join(folder, 'model.json'), JSON.stringify(document));
    return join(folder, 'model.json');
  };

  it.each<[string, (document: ModelDocument) => unknown, string, string]>([
    [
      'a shard is missing',
      ({ weightsManifest: [group] }) => group.paths.push('x.bin'),
      'EXTERNAL_DATA_MISSING',
      'x.bin',
    ],
    [
      'a shard lies outside',
      ({ weightsManifest: [group] }) => group.paths.push('../x.bin'),
      'EXTERNAL_DATA_TRAVERSAL',
      '../x.bin',
    ],
    ['a shard is left out', ({ weightsManifest: [group] }) => group.paths.pop(), 'TFJS_SHARDS_SIZE', '21 bytes'],
    ['a weight is larger', ({ weightsManifest: [group] }) => (group.weights[0].shape = [5]), 'TFJS_SHARDS_SIZE', '64'],
    [
      'a weight is gigantic',
      ({ weightsManifest: [group] }) => (group.weights[0].shape = [2 ** 40]),
      'TFJS_SHARDS_SIZE',
      '4398046511148',
    ],
    [
      'a weight is not there',
      ({ weightsManifest: [group] }) => (group.weights[0].name = 'y'),
      'WEIGHT_MISSING',
      'modelTopology.node[',
    ],
    [
      'there is no topology',
      (document) => delete document.modelTopology,
      'TFJS_TOPOLOGY',
      'weights, and nothing that says',
    ],
    ['an input is unknown', ({ signature }) => (signature.inputs.x.name = 'z:0'), 'GRAPH_NODE_MISSING', "'z'"],
    [
      'a node reads itself',
      ({ modelTopology }) => {
        const last = modelTopology?.node.at(-1);
        last?.input.splice(0, 1, last.name);
      },
      'GRAPH_CYCLE',
      'own output',
    ],
    [
      'there is an initializer',
      (document) => (document.modelInitializer = { node: [] }),
      'TFJS_INITIALIZER',
      'modelInitializer',
    ],
  ])('is refused where %s', async (_, change, code, message) => {
    const error = await refusalOf(() => readModel(damaged(change)));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(message)]);
  });
});

describe('TensorFlow.js graph models that are refused', () => {
  it('names the ops on texts with their numbers', async () => {
    const error = await refusalOf(() => readModel(languageDetection));
    expect(error.code).toBe('OPERATOR_UNSUPPORTED');
    expect(error.message).toContain("StringToHashBucketFast, 2 ×: '");
    expect(error.advice).toContain('texts');
  });
});
