/** Models made smaller and faster under a budget of 1 % of their task metric, beside what Python's quantizer makes of them. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { onnxruntimeVersion } from '../lib/artifact/onnxruntime-package.js';
import { QUANTIZATION_REQUIREMENTS } from '../test/support/quantization-python.js';
import { compareModel } from './quantize/compare-model.js';
import { BENCH_MODELS } from './quantize/models.js';
import { parityOf } from './quantize/parity.js';
import { type PreparedBenchModel, prepareBenchModel } from './quantize/prepared-model.js';
import { compareRecipeCost } from './quantize/recipe-cost.js';
import type { Suite, SuiteContext } from './suite.js';

const prepare = join(import.meta.dirname, '../bin/prepare.mjs');

/**
 * Cases: a model's name (searches, sizes, accuracy, latency), the name with `-cost` (time and memory of one recipe), the name with
 * `-parity` (scales, zero points and ranges to the bit).
 */
export const quantize: Suite = {
  name: 'quantize',
  async versions() {
    const python = QUANTIZATION_REQUIREMENTS.map((requirement) => requirement.split('=='));
    return { ...Object.fromEntries(python), 'our onnxruntime': onnxruntimeVersion() };
  },
  async run(context) {
    // What is run is what is shipped.
    execFileSync(process.execPath, [prepare, '--only', 'lib'], { stdio: ['ignore', 'ignore', 'inherit'] });
    for (const model of BENCH_MODELS) {
      const parts: readonly [string, (model: PreparedBenchModel) => Promise<void>][] = [
        [`${model.name}-parity`, (prepared) => compareParity(context, prepared)],
        [`${model.name}-cost`, (prepared) => compareRecipeCost(context, prepared)],
        [model.name, (prepared) => compareModel(context, prepared)],
      ];
      const wanted = parts.filter(([name]) => context.wants(name));
      if (wanted.length === 0) continue;
      const prepared = await prepareBenchModel(model);
      for (const [, compare] of wanted) await compare(prepared);
    }
  },
};

async function compareParity({ row, bar, note }: SuiteContext, model: PreparedBenchModel): Promise<void> {
  const { tensors, different, ranges, rangeDifference, missing } = await parityOf(model);
  const record = (metric: string, value: number, unit: string) =>
    row({ case: model.name, subject: 'ours beside Python', metric, value, unit });
  record('tensors with parameters', tensors, 'tensors');
  record('values with ranges', ranges, 'values');
  if (different.length > 0) note(`${model.name}: other scales or zero points: ${different.slice(0, 10).join(', ')}`);
  if (missing.length > 0) note(`${model.name}: no ranges of ${missing.slice(0, 10).join(', ')}`);
  bar(`${model.name}: tensors with other scales or zero points`, tensors === 0 ? null : different.length, { max: 0 });
  bar(`${model.name}: values without a range of ours`, missing.length, { max: 0 });
  bar(`${model.name}: difference of min-max ranges`, ranges === 0 ? null : rangeDifference, { max: 1e-5 });
}
