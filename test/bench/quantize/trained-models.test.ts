import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BENCH_MODELS } from '../../../bench/quantize/models.js';
import { signatureOf } from '../../../lib/compiler/build/signature.js';
import { openDataSet } from '../../../lib/compiler/data/open-data-set.js';
import { metricFor } from '../../../lib/compiler/metrics/metric-for.js';
import { runSample } from '../../../lib/compiler/metrics/run-sample.js';
import { openSession } from '../../../lib/compiler/runtime/session.js';

const fixtures = join(import.meta.dirname, '../../fixtures');

/** The share of the first samples of a set that a model tells right, read as the bench and `cdk-onnx optimize` read them. */
async function accuracyOf(name: string, samples: number): Promise<number> {
  const model = BENCH_MODELS.find((one) => one.name === name);
  if (model === undefined) throw new Error(`there is no ${name}`);
  const folder = mkdtempSync(join(tmpdir(), 'trained-'));
  try {
    await model.data.write('calibration', folder);
    await using session = await openSession(model.source);
    const signature = signatureOf(session);
    const assets = join(model.source, '..');
    const data = await openDataSet(folder, { task: model.task, signature, assets });
    const metric = metricFor('accuracy', model.task, signature);
    const observations: Float64Array[] = [];
    // Of all groups: mails of one folder have one label.
    const every = Math.max(1, Math.floor(data.ids.length / samples));
    for await (const sample of data.read(data.ids.filter((_, index) => index % every === 0))) {
      const { outputs } = await runSample(session, sample, data.carried);
      observations.push(metric.observe(sample, outputs, outputs));
    }
    return metric.aggregate(observations);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('models that scripts of this repository trained', () => {
  it('tell spam from ham through the tokenizer that the script wrote, as Python did', async () => {
    const said: { holdout: number } = JSON.parse(readFileSync(join(fixtures, 'spam-classifier/accuracy.json'), 'utf8'));
    expect(said.holdout).toBeGreaterThan(0.95);
    expect(await accuracyOf('spam', 120)).toBeGreaterThan(0.95);
  });

  const isSkipped = !existsSync('/usr/share/datasets/fashion-mnist') && process.env.CI !== 'true';
  const skipped = isSkipped ? ' (skipped: needs dataset-fashion-mnist)' : '';
  it.skipIf(isSkipped)(`tell clothes apart on pictures scaled up here, as Python did${skipped}`, async () => {
    const said: { test: number } = JSON.parse(readFileSync(join(fixtures, 'fashion-classifier/accuracy.json'), 'utf8'));
    expect(said.test).toBeGreaterThan(0.86);
    expect(await accuracyOf('fashion', 100)).toBeGreaterThan(0.8);
  });

  it('are small enough to be part of the repository', () => {
    const bytes = ['fashion-classifier/model.onnx', 'spam-classifier/model.onnx', 'spam-classifier/tokenizer.json'].map(
      (path) => statSync(join(fixtures, path)).size,
    );
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(10e6);
  });
});
