/** Damaged files of every format, in processes that may die: a clear error or a valid model, and bounded memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MutationReport, mutateAndRead } from '../../test/support/mutation.js';
import { MUTATED_FORMATS, type MutatedFormat, mutatedArchives } from '../../test/support/mutation-formats.js';
import type { SuiteContext } from '../suite.js';

const COUNT = 10_000;
const PROCESSES = 2;
/** Apart from what CI reads. */
const SEED = 1_000_000;
const MEMORY_BYTES = 800 * 2 ** 20;

export async function mutations({ row, bar, note }: SuiteContext): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-bench-'));
  try {
    const formats: Readonly<Record<string, () => MutatedFormat>> = {
      ...MUTATED_FORMATS,
      archives: () => mutatedArchives(folder),
    };
    for (const [name, format] of Object.entries(formats)) {
      const count = COUNT / PROCESSES;
      const subject = format();
      const reports = await Promise.all(
        Array.from({ length: PROCESSES }, (_, index) =>
          mutateAndRead({ ...subject, count, seed: SEED + index * count }),
        ),
      );
      const failures = reports.flatMap((report) => report.failures);
      for (const { index, what } of failures.slice(0, 5)) note(`${name}, ${index}: ${what}`);
      const sum = (part: (report: MutationReport) => number) =>
        reports.reduce((total, report) => total + part(report), 0);
      const record = (metric: string, value: number, unit: string) =>
        row({ case: 'mutations', subject: name, metric, value, unit });
      record(
        'still a model',
        sum(({ valid }) => valid),
        `of ${COUNT}`,
      );
      record(
        'refused',
        sum(({ refused }) => Object.values(refused).reduce((a, b) => a + b, 0)),
        `of ${COUNT}`,
      );
      const peakBytes = Math.max(...reports.map((report) => report.peakBytes));
      record('peak memory', peakBytes, 'bytes');
      bar(`damaged ${name}: crashes, hangs, errors without a code`, failures.length, { max: 0 });
      bar(`damaged ${name}: peak memory, bytes`, peakBytes, { max: MEMORY_BYTES });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
