/** A trained network that TensorFlow Lite quantized to 8-bit integers: ours stays within steps of its reference kernels. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tensor } from '../../lib/compiler/ir/tensor.js';
import { readConversionFixture } from '../../test/support/conversion-fixture.js';
import { pythonWith } from '../../test/support/python-environment.js';
import type { SuiteContext } from '../suite.js';
import { answersOneByOne } from './answers-one-by-one.js';
import { CONVERSION_REQUIREMENTS } from './architectures.js';
import { convertByCommand } from './convert-command.js';

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
      const answers = await answersOneByOne(out, inputs.picture as Tensor, level);
      const expected = (outputs.logits as Tensor).numbers();
      const steps = expected.map((number, index) => Math.abs(number - (answers[index] ?? Number.NaN)));
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
