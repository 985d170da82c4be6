/** A text in, labels out; a sound in, stretches of speech out: model folders through the build and the function's own bundle. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildArtifact } from '../../../lib/compiler/build.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { ModelBuilder, typed } from '../../support/model-builder.js';
import { type PreparedFunction, prepareFunction, type RunningFunction } from '../../support/predict-function.js';
import { randomFloats } from '../../support/random-numbers.js';
import { realModels } from '../../support/real-models.js';
import { refusalOf } from '../../support/refusal.js';
import { encodeWav } from '../../support/wav-writer.js';

/** Of Debian's package pocketsphinx-testdata. */
const SPEECH = '/usr/share/pocketsphinx/test/data/cards/001.wav';

let folder: string;
let prepared: PreparedFunction;
const started: RunningFunction[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-tasks-'));
  prepared = await prepareFunction();
});
afterAll(async () => {
  await Promise.all(started.map((each) => each.stop()));
  prepared.remove();
  rmSync(folder, { recursive: true, force: true });
});

async function built(name: string, modelJson: object, files: Readonly<Record<string, Uint8Array | string>> = {}) {
  const directory = join(folder, name);
  mkdirSync(directory, { recursive: true });
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(directory, file), bytes);
  writeFileSync(join(directory, 'model.json'), JSON.stringify({ name, ...modelJson }));
  const outputDirectory = join(folder, `${name}-artifact`);
  const { manifest } = await buildArtifact({ modelDirectory: directory, outputDirectory, architecture: 'x86_64' });
  return { outputDirectory, manifest };
}

async function start(artifact: string): Promise<RunningFunction> {
  const running = await prepared.start({ artifact });
  started.push(running);
  return running;
}

/** Scores are how many tokens are 4 and how many are 5. */
function countingModel(): Uint8Array {
  const builder = new ModelBuilder(17);
  const ids = builder.input('ids', [1, 6], 'int64');
  const counts = [4, 5].map((id) => {
    const isIt = typed(builder.add('Equal', [ids, builder.int64([id])]), 'bool');
    const numbers = builder.add('Cast', [isIt], { attributes: { to: { kind: 'int', value: 1n } } });
    return builder.add('ReduceSum', [numbers, builder.int64([1])]);
  });
  const axis = { attributes: { axis: { kind: 'int', value: 1n } } } as const;
  return modelToBytes(builder.finish([builder.add('Concat', counts, { ...axis, outputs: ['scores'] })]));
}

const tokenizer = {
  version: '1.0',
  added_tokens: [],
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'Whitespace' },
  post_processor: null,
  decoder: null,
  model: { type: 'WordLevel', unk_token: '[UNK]', vocab: { '[PAD]': 0, '[UNK]': 1, good: 4, bad: 5 } },
};

const textTask = {
  type: 'text-classification',
  text: { tokenizer: { type: 'tokenizer-json', file: 'tokenizer.json' }, ids: 'ids', maxLength: 6 },
  output: 'scores',
  labels: ['praise', 'blame'],
  activation: 'softmax',
};

describe('a text', () => {
  it('comes back as labels, whether posted as it is or in JSON', async () => {
    const files = { 'model.onnx': countingModel(), 'tokenizer.json': JSON.stringify(tokenizer) };
    const { outputDirectory, manifest } = await built('mood', { source: 'model.onnx', task: textTask }, files);
    expect(manifest.files.map(({ path }) => path)).toContain('assets/tokenizer.json');
    const running = await start(outputDirectory);
    for (const [body, type] of [
      ['Bad bad BAD good', 'text/plain; charset=utf-8'],
      ['{ "text": "Bad bad BAD good" }', 'application/json'],
      [Buffer.from('Bad bad BAD good'), 'text/plain'],
      [Buffer.from('Bad bad BAD good'), 'application/octet-stream'],
    ] as const) {
      const result = await running.post('/predict/mood', body, { 'content-type': type });
      expect(result.statusCode, result.body).toBe(200);
      const { predictions } = JSON.parse(result.body);
      expect(predictions.map(({ label }: { label: string }) => label)).toEqual(['blame', 'praise']);
      expect(predictions[0].score).toBeCloseTo(Math.exp(2) / (1 + Math.exp(2)), 5);
    }
    const refused = await running.post('/predict/mood', '{ "txt": 1 }', { 'content-type': 'application/json' });
    expect([refused.statusCode, JSON.parse(refused.body).code]).toEqual([400, 'TEXT_JSON']);
    const pictures = await running.post('/predict/mood', Buffer.of(1), { 'content-type': 'image/png' });
    expect([pictures.statusCode, JSON.parse(pictures.body).code]).toEqual([415, 'MEDIA_TYPE_UNSUPPORTED']);
    const { paths } = JSON.parse((await running.get('/openapi.json')).body);
    expect(Object.keys(paths['/predict/mood'].post.requestBody.content)).toEqual(['text/plain', 'application/json']);
  });

  it('is not served with a tokenizer that lies elsewhere', async () => {
    const files = { 'model.onnx': countingModel() };
    const description = { source: 'model.onnx', task: textTask };
    expect((await refusalOf(() => built('lost', description, files))).code).toBe('TASK_ASSET_NOT_FOUND');
    writeFileSync(join(folder, 'outside.json'), JSON.stringify(tokenizer));
    mkdirSync(join(folder, 'linked'));
    symlinkSync(join(folder, 'outside.json'), join(folder, 'linked', 'tokenizer.json'));
    expect((await refusalOf(() => built('linked', description, files))).code).toBe('TASK_ASSET_NOT_FOUND');
  });
});

describe('a sound', () => {
  const task = {
    type: 'voice-activity',
    audio: {
      input: 'input',
      sampleRate: 16_000,
      window: 512,
      context: 64,
      state: [{ input: 'state', output: 'stateN' }],
    },
    output: 'output',
  };

  it('comes back as stretches of speech', async () => {
    const description = { source: realModels.sileroV5, inputs: { sr: { value: 16_000 } }, task };
    const { outputDirectory } = await built('voice', description);
    const running = await start(outputDirectory);
    const noise = await running.post('/predict/voice', encodeWav(randomFloats(16_000, 1, -0.05, 0.05)), {
      'content-type': 'audio/wav',
    });
    expect([noise.statusCode, JSON.parse(noise.body).predictions], noise.body).toEqual([200, []]);
    const refused = await running.post('/predict/voice', Buffer.from('ID3'), { 'content-type': 'audio/wav' });
    expect([refused.statusCode, JSON.parse(refused.body).code]).toEqual([415, 'SOUND_FORMAT_UNKNOWN']);
  });

  it.skipIf(!existsSync(SPEECH))(
    'has speech where somebody speaks (skipped: needs pocketsphinx-testdata)',
    async () => {
      const { outputDirectory } = await built('speech', {
        source: realModels.sileroV5,
        inputs: { sr: { value: 16_000 } },
        task,
      });
      const running = await start(outputDirectory);
      const heard = await running.post('/predict/speech', readFileSync(SPEECH), { 'content-type': 'audio/wav' });
      expect(heard.statusCode, heard.body).toBe(200);
      const { predictions } = JSON.parse(heard.body);
      expect(predictions.length, heard.body).toBeGreaterThan(0);
      for (const { label, start: from, end, score } of predictions) {
        expect(label).toBe('speech');
        expect(end).toBeGreaterThan(from);
        expect(score).toBeGreaterThan(0.5);
      }
    },
  );
});
