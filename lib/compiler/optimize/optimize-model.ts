/** `cdk-onnx optimize`, without its words: search or revalidate, then write the lock and the reports. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../../artifact/digest.js';
import { userCacheFolder } from '../../artifact/file-digests.js';
import { LOCK_FILE, type Lock } from '../../artifact/lock.js';
import type { Architecture } from '../../artifact/manifest.js';
import { onnxruntimeVersion } from '../../artifact/onnxruntime-package.js';
import { toolVersion } from '../../artifact/package-root.js';
import { sourceBytes } from '../../artifact/source-content.js';
import { ConfigurationError } from '../../errors.js';
import { lostNodes } from '../build/apply-lock.js';
import { readLock } from '../build/lock-files.js';
import { lockPlan } from '../build/lock-plan.js';
import { loadPlan } from '../build/locked-plan.js';
import { type PreparedModel, prepareModel } from '../build/prepare.js';
import { metricFor } from '../metrics/metric-for.js';
import { searchRecipes } from '../quantize/search/search-recipes.js';
import type { SearchProgress, SearchResult } from '../quantize/search/search-result.js';
import { reportPage } from '../report/page.js';
import { type OptimizationReport, reportJson, reportOf } from '../report/report.js';
import { hostArchitecture } from '../runtime/host.js';
import { measurePlan } from './measure-plan.js';
import { openModelData, preparedSignature } from './model-data.js';
import { preparationsFor } from './preparations.js';

export interface OptimizeOptions {
  readonly modelDirectory: string;
  /** What the lock is for. Latencies are measured for this machine's. */
  readonly architectures: readonly Architecture[];
  /** `revalidate` measures the lock's recipes anew, without a search. Default `search`. */
  readonly mode?: 'search' | 'revalidate';
  /** Forgets what an interrupted search had found out. Default false. */
  readonly fresh?: boolean;
  /** Where report.json and report.html go. Default: the model's folder. */
  readonly reportDirectory?: string;
  /** Where an interrupted search is remembered. Default: below the user's cache folder. */
  readonly checkpointFolder?: string;
  readonly onStep?: (name: string) => void;
  readonly onProgress?: (progress: SearchProgress) => void;
  /** Nothing is written unless all of it is; a search goes on from where it was. */
  readonly signal: AbortSignal;
}

export interface Optimized {
  readonly result: SearchResult;
  readonly report: OptimizationReport;
  /** Undefined where the budget does not hold: a lock that was there is as it was. */
  readonly lock: Lock | undefined;
  /** Architectures whose lock was made of something else, and is gone. */
  readonly dropped: readonly Architecture[];
  readonly reportFile: string;
}

export const REPORT_PAGE = 'report.html';
export const REPORT_JSON = 'report.json';

/** @throws CdkOnnxError of every area; the signal's reason */
export async function optimizeModel(options: OptimizeOptions): Promise<Optimized> {
  const { mode = 'search', onStep, signal } = options;
  await using prepared = await prepareModel(options.modelDirectory, {
    signal,
    ...(onStep === undefined ? {} : { onStep }),
  });
  const { configuration, directory } = prepared;
  onStep?.('opening the data');
  const signature = await preparedSignature(prepared, signal);
  const data = await openModelData(prepared, signature, signal);
  const run = mode === 'search' ? search : revalidate;
  const result = await run(prepared, data, options);

  const isHeld = result.outcome !== 'not-held';
  const locked = isHeld ? await writeLockOf(prepared, result, data.digests, options) : undefined;
  const report = reportOf(result, {
    model: configuration.name,
    source: configuration.source,
    date: new Date(),
    tool: toolVersion().package,
    onnxruntime: onnxruntimeVersion(),
    kind: mode === 'search' ? 'search' : 'revalidation',
    artifacts: options.architectures.flatMap((architecture) => {
      const artifact = locked?.lock.architectures[architecture]?.artifact;
      return artifact === undefined ? [] : [{ architecture, contentHash: artifact.contentHash, bytes: artifact.bytes }];
    }),
    data: data.reported,
  });
  const folder = options.reportDirectory ?? directory;
  const reportFile = join(folder, REPORT_PAGE);
  await writeFile(join(folder, REPORT_JSON), reportJson(report));
  await writeFile(reportFile, reportPage(report));
  return { result, report, lock: locked?.lock, dropped: locked?.dropped ?? [], reportFile };
}

type Data = Awaited<ReturnType<typeof openModelData>>;

async function search(prepared: PreparedModel, data: Data, options: OptimizeOptions): Promise<SearchResult> {
  const { configuration, model, source, reference, directory } = prepared;
  const { architectures, signal, onProgress } = options;
  const optimize = sectionOf(prepared);
  const checkpointFolder =
    options.checkpointFolder ?? join(userCacheFolder(), 'searches', sha256(directory).slice(0, 16));
  if (options.fresh === true) await rm(checkpointFolder, { recursive: true, force: true });
  return await searchRecipes({
    model,
    source: reference.path,
    sourceBytes: sourceBytes(source),
    task: configuration.task,
    architecture: measuredArchitecture(architectures),
    goal: optimize.goal,
    budget: optimize.budget,
    data,
    schemes: optimize.schemes,
    preparations: preparationsFor({ prepared, architectures, evaluation: data.evaluation }),
    session: configuration.session,
    stripNames: configuration.stripNames,
    seed: optimize.seed,
    checkpointFolder,
    signal,
    onProgress,
  });
}

/** @throws ConfigurationError LOCK_REQUIRED, LOCK_ARCHITECTURE, LOCK_STALE where there is nothing to revalidate */
async function revalidate(prepared: PreparedModel, data: Data, options: OptimizeOptions): Promise<SearchResult> {
  const { configuration, directory, model } = prepared;
  const optimize = sectionOf(prepared);
  const lock = await readLock(directory);
  const refusal = (code: string, what: string) =>
    new ConfigurationError({
      code,
      message: `${LOCK_FILE} of '${configuration.name}' cannot be revalidated: ${what}.`,
      advice: `Run \`cdk-onnx optimize ${directory}\`, which searches.`,
    });
  if (lock === undefined) throw refusal('LOCK_REQUIRED', 'there is none');
  const architecture = measuredArchitecture(options.architectures.filter((name) => lock.architectures[name]));
  const locked = lock.architectures[architecture];
  if (locked === undefined) throw refusal('LOCK_ARCHITECTURE', `it has no recipe for ${architecture}`);
  const lost = lostNodes(model, locked);
  if (lost.length > 0) {
    const named = lost.slice(0, 3).map(({ opType, output }) => `${opType} '${output}'`);
    throw refusal(
      'LOCK_STALE',
      `${lost.length} nodes with a recipe are not in the graph any more (${named.join(', ')})`,
    );
  }
  const signature = await preparedSignature(prepared, options.signal);
  const { onProgress } = options;
  let stage = '';
  return await measurePlan({
    prepared,
    plan: await loadPlan(directory, locked),
    session: locked.session,
    architecture,
    goal: optimize.goal,
    budget: optimize.budget,
    metric: metricFor(optimize.budget.metric, configuration.task, signature),
    data,
    name: "the lock's recipes",
    seed: optimize.seed,
    signal: options.signal,
    onStage: (name) => {
      stage = name;
      onProgress?.({ kind: 'stage', name });
    },
    onStep: (done, of) => onProgress?.({ kind: 'step', name: stage, done, of }),
  });
}

/** This machine's where it is among them: only its latencies can be measured. */
function measuredArchitecture(architectures: readonly Architecture[]): Architecture {
  const host = hostArchitecture();
  return architectures.find((architecture) => architecture === host) ?? architectures[0] ?? 'arm64';
}

async function writeLockOf(
  prepared: PreparedModel,
  result: SearchResult,
  data: Readonly<Record<string, string>>,
  { architectures, onStep, signal }: OptimizeOptions,
) {
  onStep?.('writing the lock');
  // One plan for all: it keeps int8 weights from saturating where x86_64 is among them. What has a CPU was measured on this one.
  const measured = new Map(architectures.map((architecture) => [architecture, result.measured]));
  return await lockPlan({
    prepared,
    plan: result.plan,
    session: result.session,
    architectures: measured,
    data,
    signal,
  });
}

function sectionOf({ configuration }: PreparedModel) {
  const { optimize } = configuration;
  if (optimize === undefined) throw new TypeError('refused when the data was opened');
  return optimize;
}
