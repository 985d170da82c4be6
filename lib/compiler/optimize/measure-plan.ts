/** A plan that is there already, measured as a search measures what it chose: for a lock that is to be revalidated, for one explicit recipe. */

import type { Architecture, SessionSettings } from '../../artifact/manifest.js';
import type { PreparedModel } from '../build/prepare.js';
import type { DataSet, Feeds } from '../data/data-set.js';
import type { Model } from '../ir/model.js';
import type { Budget } from '../metrics/budget.js';
import type { Certificate } from '../metrics/certificate.js';
import type { Metric } from '../metrics/metric.js';
import { asModelFile } from '../metrics/model-file.js';
import { findNodes, keyText } from '../quantize/node-key.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../quantize/plan.js';
import { writeCandidate } from '../quantize/search/candidate-file.js';
import { judgeFile } from '../quantize/search/judge-file.js';
import { measurementsOf } from '../quantize/search/measurements.js';
import type { Goal, LatencyResult, NodeResult, SearchResult } from '../quantize/search/search-result.js';
import { timeModels } from '../quantize/search/timing.js';
import { cpuName, hostArchitecture } from '../runtime/host.js';
import type { ModelData } from './model-data.js';

export interface MeasurePlanOptions {
  readonly prepared: PreparedModel;
  readonly plan: QuantizationPlan;
  readonly session: SessionSettings;
  readonly architecture: Architecture;
  readonly goal: Goal;
  readonly budget: Budget;
  readonly metric: Metric;
  readonly data: Pick<ModelData, 'evaluation' | 'holdout'>;
  /** What stands for it in the report: `the lock's recipes`. */
  readonly name: string;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onStage?: (name: string) => void;
  readonly onStep?: (done: number, of: number) => void;
}

export async function measurePlan(options: MeasurePlanOptions): Promise<SearchResult> {
  const started = performance.now();
  const { prepared, plan, session, architecture, goal, metric, data, onStage } = options;
  const { model, configuration } = prepared;
  const { stripNames } = configuration;
  await using candidate = await writeCandidate(model, plan, { stripNames });
  await using untouched = await writeCandidate(model, EMPTY_PLAN, { stripNames });
  onStage?.('measuring the evaluation data');
  const evaluation = await judge(candidate.path, data.evaluation, options);
  onStage?.('measuring the holdout');
  const holdout = await judge(candidate.path, data.holdout, options);
  onStage?.('timing it in turn with the original');
  const latency = await time(candidate.path, options);
  const bytes = { original: untouched.bytes, chosen: candidate.bytes };
  const isSynthetic = data.evaluation.isSynthetic || data.holdout.isSynthetic;
  const outcome = outcomeOf(evaluation.certificate, holdout.certificate, isSynthetic);
  const times = latency.kind === 'measured' ? latency : latency.here;
  return {
    outcome,
    architecture,
    goal,
    plan,
    session,
    bytes,
    latency,
    certificate: holdout.certificate,
    evaluation: evaluation.certificate,
    groups: holdout.groups,
    candidates: [
      {
        name: options.name,
        value: evaluation.certificate.value,
        loss: evaluation.certificate.loss,
        holds: evaluation.certificate.status !== 'broken',
        bytes: candidate.bytes,
        ...(times === undefined ? {} : { timing: times.chosen }),
        schemes: schemesOf(plan),
        chosen: true,
      },
    ],
    nodes: nodesOf(model, plan, new Set(candidate.declined.map(({ node }) => node))),
    refused: candidate.declined.map(({ node, reason }) => ({ subject: node, reason })),
    breaking: [],
    measured: measurementsOf(metric, holdout.certificate, bytes, latency),
    notes: [
      ...(isSynthetic ? ['The data is made up: nothing is certified.'] : []),
      ...(outcome === 'not-held' ? [] : outcome === 'held' ? [] : [`Not certified: ${holdout.certificate.reason}.`]),
    ],
    effort: {
      evaluations: 2,
      samples: data.evaluation.ids.length + data.holdout.ids.length,
      seconds: (performance.now() - started) / 1000,
      resumed: 0,
    },
  };
}

function judge(path: string, data: DataSet, options: MeasurePlanOptions) {
  const { prepared, metric, budget, session, seed, signal, onStep } = options;
  const original = prepared.model;
  return judgeFile(path, { original, data, metric, budget, settings: session, seed, signal, onProgress: onStep });
}

function outcomeOf(evaluation: Certificate, holdout: Certificate, isSynthetic: boolean): SearchResult['outcome'] {
  if (evaluation.status === 'broken' || holdout.status === 'broken') return 'not-held';
  return holdout.status === 'certified' && !isSynthetic ? 'held' : 'not-certified';
}

/** Against the prepared model in float32, which every recipe starts from. */
async function time(path: string, options: MeasurePlanOptions): Promise<LatencyResult> {
  const { prepared, data, session, architecture, signal } = options;
  await using original = await asModelFile(prepared.model);
  const feeds = await firstFeeds(data.evaluation);
  const settings: SessionSettings = { graphOptimizationLevel: 'all' };
  const [before, after] = await timeModels(
    [
      { path: original.path, settings, feeds },
      { path, settings: session, feeds },
    ],
    { signal },
  );
  if (before === undefined || after === undefined) throw new TypeError('both were timed');
  const measured = { cpu: cpuName(), original: before, chosen: after };
  const host = hostArchitecture();
  if (architecture === host) return { kind: 'measured', ...measured };
  return {
    kind: 'not-measured',
    reason: `this machine is ${host ?? process.arch}, and the model is for ${architecture}`,
    here: measured,
  };
}

async function firstFeeds(data: DataSet): Promise<Feeds> {
  for await (const { steps } of data.read(data.ids.slice(0, 1))) return steps[0] ?? {};
  throw new TypeError('a data set is never empty');
}

function schemesOf({ recipes }: QuantizationPlan): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { recipe } of recipes) counts[recipe.scheme] = (counts[recipe.scheme] ?? 0) + 1;
  return counts;
}

/** What a search would know of each node beyond its recipe was not measured. */
function nodesOf(model: Model, plan: QuantizationPlan, declined: ReadonlySet<string>): NodeResult[] {
  const keys = plan.recipes.map(({ node }) => node);
  const found = findNodes(model, keys);
  const names = new Map(keys.map((key, index) => [keyText(key), found[index]?.name ?? '']));
  return plan.recipes.map(({ node, recipe }) => ({
    node,
    name: names.get(keyText(node)) ?? '',
    recipe: declined.has(node.output) ? { scheme: 'fp32' as const } : recipe,
    bytes: { original: 0, chosen: 0 },
    sensitivity: Number.NaN,
    snr: null,
    alternatives: [],
  }));
}
