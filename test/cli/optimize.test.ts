/** The whole way on a real model, with one scheme so that it is short: search, interruption, lock, report, build, revalidation. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseLock } from '../../lib/artifact/schema.js';
import { attribute } from '../../lib/compiler/ir/attribute.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { writeAngleSamples } from '../support/angle-samples.js';
import { ModelBuilder } from '../support/model-builder.js';
import { randomFloats } from '../support/random-numbers.js';
import { realModels } from '../support/real-models.js';
import { type RunOptions, runCommand } from './run-command.js';

const BUDGET = { metric: 'snr', min: 20 };
const OPTIMIZE = { goal: 'size', budget: BUDGET, calibration: 'samples/calibration', evaluation: 'samples/evaluation' };
/** Given, so that the search does not measure which is best. */
const SESSION = { graphOptimizationLevel: 'all' };
/** A machine that does other things as well. */
const PATIENCE = 300_000;

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-optimize-'));
});
afterAll(() => rmSync(root, { recursive: true }));

/** What looks at the same pictures as the real model, in no time. */
function smallModel(): Uint8Array {
  const builder = new ModelBuilder(17);
  const picture = builder.input('x', [1, 3, 48, 192]);
  const kernel = builder.floats(randomFloats(8 * 3 * 8 * 8, 1), [8, 3, 8, 8]);
  const seen = builder.add('Conv', [picture, kernel], { attributes: { strides: attribute.ints([8, 8]) } });
  const pooled = builder.add('Flatten', [builder.add('GlobalAveragePool', [builder.add('Relu', [seen])])]);
  const scores = builder.add('MatMul', [pooled, builder.floats(randomFloats(16, 2), [8, 2])], { outputs: ['scores'] });
  return modelToBytes(builder.finish([scores]));
}

/** @param source Default: `smallModel` */
function modelFolder(optimize: object = {}, source = smallModel()): string {
  const folder = join(root, String(readdirSync(root).length), 'angle');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'source.onnx'), source);
  writeAngleSamples(join(folder, 'samples', 'calibration'), 2, 1);
  writeAngleSamples(join(folder, 'samples', 'evaluation', 'stripes'), 4, 2);
  writeAngleSamples(join(folder, 'samples', 'evaluation', 'others'), 4, 3);
  writeJson(folder, { ...OPTIMIZE, schemes: ['fp16-storage', 'fp32'], ...optimize });
  return folder;
}

function writeJson(folder: string, optimize: object | undefined): void {
  writeFileSync(
    join(folder, 'model.json'),
    JSON.stringify({ name: 'angle', source: 'source.onnx', session: SESSION, optimize }),
  );
}

/** Searches are remembered below the test's own folder. */
function run(args: readonly string[], options: RunOptions = {}) {
  return runCommand(args, { ...options, environment: { XDG_CACHE_HOME: join(root, 'cache') } });
}

describe('cdk-onnx optimize', () => {
  it(
    'that is interrupted leaves nothing half-written and goes on from there; it writes a lock that a build follows, a report, and nothing else; and measures it again without a search',
    async () => {
      const folder = modelFolder({}, readFileSync(realModels.ocrAngleClassifier));
      const before = readdirSync(folder);
      let isStopped = false;
      const onStderr = (text: string, kill: (signal: NodeJS.Signals) => void) => {
        // The second candidate.
        if (isStopped || !/^ +2 [✓✗]/m.test(text)) return;
        isStopped = true;
        kill('SIGINT');
      };
      const interrupted = await run(['optimize', folder], { onStderr });
      expect(interrupted.code).toBe(130);
      expect(interrupted.stderr).toMatch(/The same command goes on from here/);
      // A candidate with accuracy and size, in plain lines where there is no terminal.
      expect(interrupted.stderr).toMatch(/^ +\d+ ✓ +[\d.]+ +\d+ kB/m);
      expect(readdirSync(folder)).toEqual(before);

      const resumed = await run(['optimize', folder, '--resume']);
      expect(resumed.code).toBe(0);
      expect(resumed.stdout).toMatch(/the budget holds/);
      expect(resumed.stdout).toMatch(/size 579 kB → \d+ kB \(0\.[45]\d ×\)/);

      const text = readFileSync(join(folder, 'model.lock.json'), 'utf8');
      const lock = parseLock(text, 'lock');
      expect(Object.keys(lock.architectures)).toEqual(['arm64', 'x86_64']);
      const hasWeights = Object.values(lock.architectures).some(({ weights }) => weights.length > 0);
      expect(lock.digests.weights !== undefined).toBe(hasWeights);
      const written = ['model.lock.json', 'report.html', 'report.json'];
      if (hasWeights) written.push('model.lock.safetensors');
      expect(readdirSync(folder).sort()).toEqual([...before, ...written].sort());
      expect(Object.keys(lock.digests.data)).toEqual(['calibration', 'evaluation', 'holdout']);
      const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'));
      expect(report).toMatchObject({ model: 'angle', kind: 'search' });
      expect(report.effort.resumed).toBeGreaterThan(0);
      expect(report.data.map(({ samples }: { samples: number }) => samples)).toEqual([2, 4, 4]);
      expect(report.artifacts).toHaveLength(2);

      const built = await run(['build', folder, '--out', join(root, 'artifact'), '--json']);
      expect(built.stderr).not.toMatch(/"error"/);
      expect(JSON.parse(built.stdout)).toMatchObject({
        manifest: { contentHash: lock.architectures.arm64?.artifact.contentHash },
        lock: { asMeasured: true, notes: [] },
      });

      const again = await run(['optimize', folder, '--revalidate', '--json']);
      expect(again.code).toBe(0);
      expect(JSON.parse(again.stdout)).toMatchObject({ kind: 'revalidation', effort: { evaluations: 2 } });
      const revalidated = parseLock(readFileSync(join(folder, 'model.lock.json'), 'utf8'), 'lock');
      expect(revalidated.architectures.arm64?.recipes).toEqual(lock.architectures.arm64?.recipes);
      expect(revalidated.architectures.arm64?.artifact).toEqual(lock.architectures.arm64?.artifact);
    },
    PATIENCE,
  );

  it(
    'of a budget that cannot be met exits with 1, the best that was found and the nodes that broke it, and writes no lock',
    async () => {
      const folder = modelFolder({ budget: { metric: 'snr', min: 149 }, schemes: ['fp16-storage'] });
      const { code, stdout } = await run(['optimize', folder, '--architecture', 'x86_64']);
      expect(code).toBe(1);
      expect(stdout).toMatch(/THE BUDGET DOES NOT HOLD/);
      expect(stdout).toMatch(/nodes that broke it, worst first:\n {4}\w+ \S+/);
      expect(existsSync(join(folder, 'model.lock.json'))).toBe(false);
      expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('What broke it most');
    },
    PATIENCE,
  );
});

describe('cdk-onnx optimize refuses', () => {
  it.each<[string, () => string, readonly string[], RegExp]>([
    [
      'a model that asks for nothing',
      () => {
        const folder = modelFolder();
        writeJson(folder, undefined);
        return folder;
      },
      [],
      /OPTIMIZE_SECTION_MISSING/,
    ],
    [
      'data that is in two sets, under another name too',
      () => {
        const folder = modelFolder();
        const samples = join(folder, 'samples');
        copyFileSync(join(samples, 'calibration', '1.npy'), join(samples, 'evaluation', 'stripes', 'copy.npy'));
        return folder;
      },
      [],
      /DATA_NOT_DISJOINT: .*calibration and for evaluation.*1\.npy and stripes\/copy\.npy/,
    ],
    ['to revalidate what is not there', () => modelFolder(), ['--revalidate'], /LOCK_REQUIRED/],
    ['two minds at once', () => modelFolder(), ['--fresh', '--resume'], /USAGE/],
    ['an architecture that Lambda lacks', () => modelFolder(), ['--architecture', 'riscv'], /USAGE: --architecture/],
  ])('%s', async (_, folder, flags, message) => {
    const directory = folder();
    const files = readdirSync(directory);
    const { code, stderr, stdout } = await run(['optimize', directory, ...flags]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
    expect(readdirSync(directory)).toEqual(files);
  });
});
