/** Whole networks in every format: what is converted computes what its source does, with no layout left over, in bounded memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sourceBytes } from '../../lib/artifact/source-content.js';
import { readModel } from '../../lib/compiler/readers/read-model.js';
import { countTransposes } from '../../test/support/count-transposes.js';
import type { SuiteContext } from '../suite.js';
import { type Architecture, FORMATS, type Format } from './architectures.js';
import { convertByCommand } from './convert-command.js';
import { differenceFromSource } from './difference-from-source.js';

const ALLOWED_BYTES = 100e6;
/** Of the largest magnitude: a thousand times what an output may stray by, so that one that hardly depended on its input would show. */
const LEAST_SPREAD = 0.01;

interface Measured {
  readonly architecture: Architecture;
  readonly format: Format;
  /** Part of what an output may stray by. */
  readonly strayed: number;
  /** Transposes beyond those that inputs, outputs and channels-last normalizations need. */
  readonly transposes: number;
  /** Part of the memory that the process which converts may take; those that check what it wrote are apart. */
  readonly memory: number;
}

export async function compareNetworks(
  { row, bar, note }: SuiteContext,
  architectures: readonly Architecture[],
): Promise<void> {
  const temporary = mkdtempSync(join(tmpdir(), 'cdk-onnx-bench-'));
  const measured: Measured[] = [];
  const failed: string[] = [];
  try {
    for (const architecture of architectures) {
      for (const format of FORMATS) {
        try {
          measured.push(await measure(architecture, format, join(temporary, 'model.onnx'), row));
        } catch (error) {
          failed.push(`${architecture.name} ${format.name}`);
          note(`${architecture.name} ${format.name}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  bar(`networks in files that were not converted, of ${architectures.length * FORMATS.length}`, failed.length, {
    max: 0,
  });
  bar('least difference of two outputs', Math.min(...architectures.map(({ spread }) => spread)), { min: LEAST_SPREAD });
  for (const format of FORMATS.filter((each) => measured.some((one) => one.format === each))) {
    const worst = (part: 'strayed' | 'transposes' | 'memory') =>
      measured.filter((one) => one.format === format).reduce((most, one) => (one[part] > most[part] ? one : most));
    const [strayed, transposes, memory] = [worst('strayed'), worst('transposes'), worst('memory')];
    bar(`${format.name}: difference / allowed, worst ${strayed.architecture.name}`, strayed.strayed, { max: 1 });
    bar(`${format.name}: Transposes too many, worst ${transposes.architecture.name}`, transposes.transposes, {
      max: 0,
    });
    bar(`${format.name}: memory / (3 × model + 100 MB), worst ${memory.architecture.name}`, memory.memory, { max: 1 });
  }
}

async function measure(
  architecture: Architecture,
  format: Format,
  out: string,
  row: SuiteContext['row'],
): Promise<Measured> {
  const source = join(architecture.folder, format.file);
  const { seconds, peakBytes, ownPeakBytes } = await convertByCommand(source, out, true);
  const difference = await differenceFromSource(out, architecture.fixture, format.source);
  const model = await readModel(out);
  const transposes = countTransposes(model);
  const bytes = sourceBytes(source);
  const record = (metric: string, value: number, unit: string) =>
    row({ case: architecture.name, subject: format.name, metric, value, unit });
  const tolerance = architecture.fixture.tolerances[format.source] ?? Number.NaN;
  record('max|Δ|/max|y|', difference, `of ${tolerance.toExponential(2)}`);
  record('Transposes', transposes, 'nodes');
  record('peak memory', ownPeakBytes, `bytes of ${Math.round(3 * bytes + ALLOWED_BYTES)}`);
  record('with all processes', peakBytes, 'bytes');
  record('time, memory watched', seconds, 's');
  const needed = model.graph.inputs.length + model.graph.outputs.length + 2 * architecture.layerNormalizations;
  return {
    architecture,
    format,
    strayed: difference / tolerance,
    transposes: transposes - needed,
    memory: ownPeakBytes / (3 * bytes + ALLOWED_BYTES),
  };
}
