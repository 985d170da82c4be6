/** Models that packages ship: against TensorFlow.js itself, and those that must be refused. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OnnxValue } from 'onnxruntime-node';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import type { Tensor } from '../../lib/compiler/ir/tensor.js';
import { openModel, readModel } from '../../lib/compiler/readers/read-model.js';
import { CdkOnnxError } from '../../lib/errors.js';
import { largestRelativeDifference, toOrt, toOrtFeeds } from '../../test/support/compare-outputs.js';
import { readConversionFixture } from '../../test/support/conversion-fixture.js';
import { pythonWith } from '../../test/support/python-environment.js';
import { runModel } from '../../test/support/run-model.js';
import {
  basicPitch,
  faceWeights,
  languageDetection,
  sentenceEncoder,
  type TfjsModel,
  upscaler,
} from '../../test/support/tfjs-models.js';
import { writeNpz } from '../quantize/data/npz.js';
import type { SuiteContext } from '../suite.js';
import { CONVERSION_REQUIREMENTS } from './architectures.js';

const script = join(import.meta.dirname, 'double_graph.py');
const TOLERANCE = 1e-5;

export async function realModels(context: SuiteContext): Promise<void> {
  const { row, bar } = context;
  for (const [name, model] of Object.entries({ sentenceEncoder, upscaler: upscaler([1, 12, 10, 3], 1) })) {
    const [difference = Number.NaN] = await differences(model, await model.expected());
    row({ case: name, subject: 'ours beside tfjs', metric: 'max|Δ|/max|y|', value: difference, unit: '' });
    bar(`${name}: difference from tfjs`, difference, { max: TOLERANCE });
  }
  await comparePitch(context);
  for (const [name, path] of Object.entries({ languageDetection, faceWeights })) {
    const refusal = await refusalOf(path);
    row({ case: name, subject: 'ours', metric: 'refused', value: Number(refusal !== undefined), unit: '', ...refusal });
    bar(`${name}: refused with its reason`, Number(refusal !== undefined), { min: 1 });
  }
}

/** Its logarithms make much of what float32 leaves in quiet bands, in tfjs as well: float64 says how much. */
async function comparePitch({ row, bar }: SuiteContext): Promise<void> {
  const expected = await basicPitch.expected();
  const found = await differences(basicPitch, expected);
  const exact = await inDouble(basicPitch, ['Identity', 'Identity_1', 'Identity_2']);
  for (const [index, name] of basicPitch.outputs.entries()) {
    const [theirs, ours] = [expected[index], found[index] ?? Number.NaN];
    if (theirs === undefined) continue;
    const own = differenceOf(theirs.numbers(), exact[index]?.numbers() ?? []);
    const record = (subject: string, value: number) =>
      row({ case: `basicPitch ${name}`, subject, metric: 'max|Δ|/max|y|', value, unit: '' });
    record('ours beside tfjs', ours);
    record('tfjs beside float64', own);
    bar(`basicPitch ${name}: difference / allowed`, ours / Math.max(TOLERANCE, 3 * own), { max: 1 });
  }
}

async function differences({ path, feeds, outputs }: TfjsModel, expected: readonly Tensor[]): Promise<number[]> {
  const results = await runModel(modelToBytes(await readModel(path)), toOrtFeeds(feeds));
  const names = outputs.length > 0 ? outputs : Object.keys(results);
  return names.map((name, index) =>
    largestRelativeDifference({ y: results[name] as OnnxValue }, { y: toOrt(expected[index] as Tensor) }),
  );
}

async function inDouble(
  { path, feeds }: TfjsModel,
  nodes: readonly string[],
): Promise<readonly (Tensor | undefined)[]> {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-bench-'));
  try {
    const [given, prefix] = [join(folder, 'feeds.npz'), join(folder, 'double')];
    const arrays = Object.entries(feeds).map(([name, tensor]) => ({
      name,
      dims: tensor.dims,
      data: tensor.typed() as Float32Array,
    }));
    writeNpz(given, arrays);
    const parameters = ['-B', script, path, given, prefix, ...nodes];
    execFileSync(pythonWith(CONVERSION_REQUIREMENTS), parameters, { stdio: 'pipe' });
    const { outputs } = await readConversionFixture(prefix);
    return nodes.map((node) => outputs[node]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function differenceOf(actual: readonly number[], exact: readonly number[]): number {
  if (actual.length !== exact.length) return Number.NaN;
  const scale = exact.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
  return exact.reduce((most, number, index) => Math.max(most, Math.abs(number - (actual[index] ?? 0))), 0) / scale;
}

/** The refusal's text, where it is one that says why. */
async function refusalOf(path: string): Promise<{ note: string } | undefined> {
  try {
    await using _ = await openModel(path);
    return undefined;
  } catch (error) {
    if (!(error instanceof CdkOnnxError)) throw error;
    return /texts|without a model topology/.test(`${error.message} ${error.advice}`)
      ? { note: `${error.code}: ${error.message.slice(0, 200)}` }
      : undefined;
  }
}
