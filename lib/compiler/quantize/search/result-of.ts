/** Puts together what a search found. */
import { statSync } from 'node:fs';
import type { Certificate } from '../../metrics/certificate.js';
import { decibels } from '../../metrics/differences.js';
import type { Metric } from '../../metrics/metric.js';
import { cpuName, hostArchitecture } from '../../runtime/host.js';
import { keyText } from '../node-key.js';
import type { QuantizationPlan } from '../plan.js';
import type { Finalists } from './measure-finalists.js';
import { measurementsOf } from './measurements.js';
import type { UnitOptions } from './options-of-units.js';
import type { SearchOptions } from './search-options.js';
import type { CandidateResult, LatencyResult, NodeResult, Refusal, SearchResult } from './search-result.js';
import type { Unit } from './units.js';
import type { Candidate, Workbench } from './workbench.js';

export interface ResultParts {
  readonly search: SearchOptions;
  readonly bench: Workbench;
  readonly measured: readonly UnitOptions[];
  readonly refused: SearchResult['refused'];
  readonly finalists: Finalists;
  readonly units: readonly Unit[];
  readonly metric: Metric;
  readonly certificate: Certificate;
  readonly groups: SearchResult['groups'];
  /** Bytes of the model before any recipe, as it would be written. */
  readonly untouchedBytes: number;
  readonly isSynthetic: boolean;
  readonly effort: SearchResult['effort'];
}

const MOST_BREAKING = 10;

export function resultOf(parts: ResultParts): SearchResult {
  const { search, finalists, metric, certificate } = parts;
  const { chosen } = finalists;
  const outcome = outcomeOf(parts);
  const bytes = { original: originalBytes(parts), chosen: chosen.result.bytes };
  const latency = latencyOf(parts);
  return {
    outcome,
    architecture: search.architecture,
    goal: search.goal,
    plan: chosen.plan,
    session: finalists.session,
    bytes,
    latency,
    certificate,
    evaluation: chosen.certificate,
    groups: parts.groups,
    candidates: candidatesOf(parts),
    nodes: nodesOf(parts),
    refused: [...parts.refused, ...declinedOf(finalists.chosen), ...finalists.refused],
    breaking: outcome === 'not-held' ? breakingOf(parts) : [],
    measured: measurementsOf(metric, certificate, bytes, latency),
    notes: notesOf(parts, outcome),
    effort: parts.effort,
  };
}

function outcomeOf(parts: ResultParts): SearchResult['outcome'] {
  const { finalists, certificate, search, measured, isSynthetic } = parts;
  if (!finalists.holds || certificate.status === 'broken') return 'not-held';
  const canChange = measured.length > 0;
  if (search.goal === 'size' && canChange && isUntouched(finalists.chosen.plan)) return 'not-held';
  return certificate.status === 'certified' && !isSynthetic ? 'held' : 'not-certified';
}

function isUntouched({ recipes, weights }: QuantizationPlan): boolean {
  return recipes.length === 0 && weights.size === 0;
}

function originalBytes({ search, untouchedBytes }: ResultParts): number {
  if (search.sourceBytes !== undefined) return search.sourceBytes;
  const file = search.source === undefined ? undefined : statSync(search.source, { throwIfNoEntry: false });
  return file?.size ?? untouchedBytes;
}

function latencyOf({ search, finalists }: ResultParts): LatencyResult {
  const timed = { cpu: cpuName(), original: finalists.original, chosen: finalists.timing };
  const host = hostArchitecture();
  if (search.architecture === host) return { kind: 'measured', ...timed };
  const reason = `this machine is ${host ?? process.arch}, and the model is for ${search.architecture}`;
  return { kind: 'not-measured', reason, here: timed };
}

function candidatesOf({ bench, finalists }: ResultParts): CandidateResult[] {
  return [...bench.candidates.values()].map(({ digest, result }) => {
    const timing = finalists.timings.get(digest);
    return { ...result, ...(timing === undefined ? {} : { timing }), chosen: digest === finalists.chosen.digest };
  });
}

function nodesOf({ measured, finalists, units }: ResultParts): NodeResult[] {
  const recipes = new Map(finalists.chosen.plan.recipes.map(({ node, recipe }) => [keyText(node), recipe]));
  const declined = new Set(finalists.chosen.declined.map(({ node }) => node));
  const byUnit = new Map(measured.map((unit) => [unit.unit.index, unit]));
  return units.flatMap((unit) => {
    const options = byUnit.get(unit.index)?.options ?? [];
    if (options.length === 0 && unit.weightBytes === 0) return [];
    const float32 = options.find(({ recipe }) => recipe === undefined)?.bytes ?? unit.weightBytes;
    return unit.nodes.map((node, index): NodeResult => {
      const key = unit.keys[index];
      if (key === undefined) throw new TypeError('every node has a key');
      const planned = declined.has(key.output) ? undefined : recipes.get(keyText(key));
      const option = options.find(({ recipe }) => JSON.stringify(recipe) === JSON.stringify(planned));
      // Shared weights count once.
      const bytes = index === 0 ? { original: float32, chosen: option?.bytes ?? float32 } : { original: 0, chosen: 0 };
      return {
        node: key,
        name: node.name,
        recipe: planned ?? { scheme: 'fp32' },
        bytes,
        sensitivity: planned === undefined ? 0 : (option?.noise ?? 0),
        snr: planned === undefined || option === undefined ? null : decibels(1, option.localNoise),
        alternatives: options.flatMap(({ recipe, localNoise, bytes: size }) =>
          recipe === undefined || recipe === option?.recipe
            ? []
            : [{ recipe, snr: decibels(1, localNoise), bytes: size }],
        ),
      };
    });
  });
}

/** Nodes that could not follow their recipe in the end. */
function declinedOf({ plan, declined }: Candidate): Refusal[] {
  const recipes = new Map(plan.recipes.map(({ node, recipe }) => [node.output, recipe]));
  return declined.map(({ node, reason }) => {
    const recipe = recipes.get(node);
    return { subject: node, ...(recipe === undefined ? {} : { recipe }), reason };
  });
}

/** The nodes of the plan that are predicted to add the most noise. */
function breakingOf({ measured, finalists }: ResultParts): SearchResult['breaking'] {
  const recipes = new Map(finalists.chosen.plan.recipes.map(({ node, recipe }) => [keyText(node), recipe]));
  const noiseOf = ({ unit, options }: UnitOptions) => {
    const [key] = unit.keys;
    const recipe = key === undefined ? undefined : recipes.get(keyText(key));
    const option = options.find((candidate) => JSON.stringify(candidate.recipe) === JSON.stringify(recipe));
    return recipe === undefined ? 0 : (option?.noise ?? 0);
  };
  return measured
    .map((unit) => ({ unit, noise: noiseOf(unit) }))
    .filter(({ noise }) => noise > 0)
    .sort((one, other) => other.noise - one.noise)
    .slice(0, MOST_BREAKING)
    .flatMap(({ unit }) => unit.unit.keys);
}

function notesOf(
  { certificate, isSynthetic, finalists, search }: ResultParts,
  outcome: SearchResult['outcome'],
): string[] {
  const notes = [...finalists.notes];
  if (isSynthetic) notes.push('the data is made up: nothing is certified');
  if (outcome === 'not-certified') notes.push(`not certified: ${certificate.reason}`);
  if (outcome === 'not-held') {
    notes.push(
      finalists.holds && certificate.status === 'broken'
        ? `the holdout breaks the budget: ${certificate.reason}`
        : 'nothing that was tried keeps the budget and changes the model: this is what came closest',
    );
  }
  if (search.architecture !== hostArchitecture()) notes.push(`latencies on ${search.architecture}: not measured`);
  return notes;
}
