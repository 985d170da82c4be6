/** One model: searched for size and for latency, judged on the holdout beside its original and beside Python's recipes. */
import { type ComparableModel, comparableModel } from '../../lib/compiler/comparison/comparable-model.js';
import { timeModels } from '../../lib/compiler/comparison/timing.js';
import { median, type SuiteContext } from '../suite.js';
import { type Judge, openJudge, type Verdict } from './judge.js';
import { keptVerdict } from './kept-verdict.js';
import type { Goal } from './model-folder.js';
import { LIMITS, MAXIMUM_LOSS } from './models.js';
import { PEER_RECIPES, type PeerModel, peerModel } from './peers.js';
import type { PreparedBenchModel } from './prepared-model.js';
import { searchFor } from './search.js';

const SEARCH_SECONDS = 300;
/** About how long each model is timed. */
const TIMED_MS = 5000;
const ROUNDS = { least: 40, most: 1000 };

interface Contender {
  readonly subject: string;
  readonly bytes: number;
  readonly verdict: Verdict;
}

export async function compareModel(context: SuiteContext, model: PreparedBenchModel): Promise<void> {
  const { row, bar, note } = context;
  const record = (subject: string, metric: string, value: number | null, unit: string, said?: string) =>
    row({ case: model.name, subject, metric, value, unit, ...(said === undefined ? {} : { note: said }) });
  await using judge = await openJudge(model);
  record('original', 'size', model.bytes, 'bytes');
  record('original', `${model.metric} on the holdout`, judge.original.value, model.taskMetric.unit);
  record(
    'holdout',
    'samples',
    judge.samples,
    'samples',
    model.taskMetric.needsLabels ? 'real labels' : 'agreement with fp32',
  );
  bar(`${model.name}: holdout, samples`, judge.samples, { min: 300 });

  const bySize = await search('size');
  if (bySize !== undefined) {
    const share = bySize.artifact.bytes / model.bytes;
    bar(`${model.name}: size / fp32`, share, { max: Math.min(model.limits.size, LIMITS.size) });
    await besidePeers(context, model, judge, {
      subject: 'ours, size',
      bytes: bySize.artifact.bytes,
      verdict: bySize.verdict,
    });
  } else {
    bar(`${model.name}: size / fp32`, null, { max: Math.min(model.limits.size, LIMITS.size) });
    bar(`${model.name}: ${model.metric} ahead of Python's best`, null, { min: 0 });
  }
  const byLatency = await search('latency');
  const latency = byLatency === undefined ? null : await latencyRatio(model, byLatency.artifact, record);
  bar(`${model.name}: latency / fp32`, latency, { max: Math.min(model.limits.latency, LIMITS.latency) });

  async function search(goal: Goal): Promise<{ artifact: ComparableModel; verdict: Verdict } | undefined> {
    const subject = `ours, ${goal}`;
    const { code, seconds, complaint, artifact } = await searchFor(model, goal);
    if (complaint !== '') note(`${model.name}: ${complaint}`);
    record(subject, 'search', seconds, 's', code === 0 ? undefined : 'no budget held');
    bar(`${model.name}: search for ${goal}, s`, seconds, { max: SEARCH_SECONDS });
    if (artifact === undefined) {
      bar(`${model.name}: loss for ${goal}`, null, { max: MAXIMUM_LOSS });
      return undefined;
    }
    const verdict = await judge.judge(artifact.path, artifact.settings);
    record(subject, 'size', artifact.bytes, 'bytes');
    record(subject, 'size / fp32', artifact.bytes / model.bytes, 'x');
    recordVerdict(record, model, subject, verdict);
    for (const [group, value] of verdict.groups)
      record(subject, `${model.metric}, ${group}`, value, model.taskMetric.unit);
    bar(`${model.name}: loss for ${goal}`, lossOf(model, judge.original, verdict), { max: MAXIMUM_LOSS });
    return { artifact, verdict };
  }
}

type Recorder = (subject: string, metric: string, value: number | null, unit: string, note?: string) => void;

function recordVerdict(record: Recorder, model: PreparedBenchModel, subject: string, { value, snr }: Verdict): void {
  record(subject, `${model.metric} on the holdout`, value, model.taskMetric.unit);
  record(subject, 'SNR on the holdout', snr, 'dB');
}

function lossOf({ taskMetric }: PreparedBenchModel, original: Verdict, verdict: Verdict): number {
  return taskMetric.better === 'higher' ? original.value - verdict.value : verdict.value - original.value;
}

/**
 * Python's best among recipes that are no larger than ours; where all are larger, its smallest. Where the metric is the same, the one with
 * more signal over noise is ahead.
 */
async function besidePeers(
  { row, bar }: SuiteContext,
  model: PreparedBenchModel,
  judge: Judge,
  ours: Contender,
): Promise<void> {
  const record: Recorder = (subject, metric, value, unit, said) =>
    row({ case: model.name, subject, metric, value, unit, ...(said === undefined ? {} : { note: said }) });
  const contenders: Contender[] = [];
  for (const recipe of PEER_RECIPES) {
    const subject = `Python, ${recipe}`;
    const peer = await peerModel(model, recipe).catch(
      (error: Error): PeerModel => ({ recipe, failure: error.message }),
    );
    if (peer.path === undefined || peer.bytes === undefined) {
      record(subject, 'size', null, 'bytes', peer.failure);
      continue;
    }
    record(subject, 'size / fp32', peer.bytes / model.bytes, 'x');
    const { path } = peer;
    const verdict = await keptVerdict(path, model.metric, () => judge.judge(path));
    recordVerdict(record, model, subject, verdict);
    contenders.push({ subject, bytes: peer.bytes, verdict });
  }
  const smallest = Math.min(...contenders.map(({ bytes }) => bytes));
  const allowed = contenders.filter(({ bytes }) => bytes <= Math.max(ours.bytes, smallest));
  const loss = ({ verdict }: Contender) => lossOf(model, judge.original, verdict);
  const [best] = allowed.sort((one, other) => loss(one) - loss(other) || other.verdict.snr - one.verdict.snr);
  const ahead = best === undefined ? null : loss(best) - loss(ours);
  bar(`${model.name}: ${model.metric} ahead of Python's best (${best?.subject ?? 'none'})`, ahead, { min: 0 });
  if (best !== undefined && ahead === 0) {
    bar(`${model.name}: SNR ahead of Python's best, dB`, ours.verdict.snr - best.verdict.snr, { min: 0 });
  }
}

/** In turn on the first sample of the holdout, each in a process of its own with one thread: the median of ratios of neighbours. */
async function latencyRatio(model: PreparedBenchModel, artifact: ComparableModel, record: Recorder): Promise<number> {
  const original = { ...(await comparableModel(model.plain)), label: 'original' };
  const data = await model.openData('holdout');
  for await (const { steps } of data.read(data.ids.slice(0, 1))) {
    const feeds = steps[0] ?? {};
    const [trial] = await timeModels([original], [feeds], { opens: 1, runs: 5 });
    const runs = Math.min(ROUNDS.most, Math.max(ROUNDS.least, Math.round(TIMED_MS / median(trial?.run ?? [1]))));
    const [before, after] = await timeModels([original, artifact], [feeds, feeds], { runs });
    if (before === undefined || after === undefined) break;
    record('original', 'latency', median(before.run), 'ms');
    record('ours, latency', 'latency', median(after.run), 'ms');
    return median(after.run.map((milliseconds, run) => milliseconds / (before.run[run] ?? Number.NaN)));
  }
  throw new Error(`${model.name} could not be timed`);
}
