/** A trained network that TensorFlow Lite quantized to 8-bit integers: ours stays within steps of its reference kernels. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { fromOrt, toOrt } from '../../test/support/compare-outputs.js';
import { readConversionFixture } from '../../test/support/conversion-fixture.js';
import { pythonWith } from '../../test/support/python-environment.js';
import { openModel } from '../../test/support/run-model.js';
import type { SuiteContext } from '../suite.js';
import { CONVERSION_REQUIREMENTS } from './architectures.js';
import { convertByCommand } from './networks.js';

const script = join(import.meta.dirname, 'quantized_network.py');
const example = join(import.meta.dirname, '../../models/fashion');

export async function quantizedNetwork({ row, bar }: SuiteContext): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-bench-'));
  try {
    execFileSync(pythonWith(CONVERSION_REQUIREMENTS), ['-B', script, example, folder], { stdio: 'pipe' });
    const out = join(folder, 'model.onnx');
    await convertByCommand(join(folder, 'model.tflite'), out, false);
    const { inputs, outputs } = await readConversionFixture(join(folder, 'model'));
    // `basic` is what a build chooses for x86_64; `all` computes in integers, which saturate without VNNI.
    for (const level of ['basic', 'all'] as const) {
      const steps = await stepsApart(out, inputs.picture as Tensor, outputs.logits as Tensor, level);
      const most = steps.reduce((max, step) => Math.max(max, step), 0);
      const mean = steps.reduce((sum, step) => sum + step, 0) / steps.length;
      const record = (metric: string, value: number, unit: string) =>
        row({ case: 'int8', subject: `classifier of clothes, ${level}`, metric, value, unit });
      record('outputs', steps.length, 'logits');
      record('most apart', most, 'steps');
      record('apart on average', mean, 'steps');
      if (level === 'all') continue;
      bar('full-integer network: most steps from the reference kernels', most, { max: 3 });
      bar('full-integer network: steps on average', mean, { max: 0.3 });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of each int8 element. */
async function stepsApart(
  path: string,
  inputs: Tensor,
  expected: Tensor,
  graphOptimizationLevel: 'basic' | 'all',
): Promise<number[]> {
  const session = await openModel(path, { graphOptimizationLevel });
  try {
    const [input = '', output = ''] = [session.inputNames[0], session.outputNames[0]];
    const values = inputs.numbers();
    const [count = 0, ...dims] = inputs.dims;
    const size = values.length / count;
    const found: number[] = [];
    for (let index = 0; index < count; index++) {
      const one = Tensor.fromNumbers('int8', [1, ...dims], values.slice(index * size, (index + 1) * size));
      const result = (await session.run({ [input]: toOrt(one) }))[output];
      if (result !== undefined) found.push(...fromOrt(result).numbers());
    }
    return expected.numbers().map((number, index) => Math.abs(number - (found[index] ?? Number.NaN)));
  } finally {
    await session.release();
  }
}
