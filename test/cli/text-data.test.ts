import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommand } from './run-command.js';

const FIXTURE = join(import.meta.dirname, '../fixtures/spam-classifier');

let folder: string;
let model: string;
let texts: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-texts-'));
  const about = join(folder, 'spam');
  mkdirSync(about);
  model = join(about, 'model.onnx');
  for (const file of ['model.onnx', 'tokenizer.json']) copyFileSync(join(FIXTURE, file), join(about, file));
  const text = {
    tokenizer: { type: 'tokenizer-json', file: 'tokenizer.json' },
    ids: 'input_ids',
    mask: 'attention_mask',
    maxLength: 128,
  };
  const task = { type: 'text-classification', text, output: 'logits', labels: ['ham', 'spam'], activation: 'softmax' };
  writeFileSync(join(about, 'model.json'), JSON.stringify({ name: 'spam', source: 'model.onnx', task }));
  texts = join(folder, 'texts.jsonl');
  const rows = [
    { text: 'Minutes of the meeting on Tuesday, and the patch for the kernel', label: 'ham' },
    { text: 'FREE MONEY!!! Click here to claim your prize now', label: 'spam' },
  ];
  writeFileSync(texts, rows.map((row) => JSON.stringify(row)).join('\n'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('texts are compared with the tokenizer beside the model.json that names it', async () => {
  const about = ['--model-json', join(folder, 'spam'), '--metric', 'agreement', '--runs', '0', '--json'];
  const { code, stdout, stderr } = await runCommand(['compare', model, model, '--data', texts, ...about]);
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ samples: 2, metric: { name: 'agreement', values: [1, 1] } });
});

it('a model is timed with a text, by the tokenizer of its folder', async () => {
  const few = ['--runs', '2', '--opens', '1', '--json'];
  const command = ['benchmark', join(folder, 'spam'), '--data', texts, ...few];
  const { code, stdout, stderr } = await runCommand(command);
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ isSynthetic: false, shapes: { input_ids: [1, 128] } });
});
