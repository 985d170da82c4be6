/** The subjects, one after the other and again and again, and the bars that our artifact has to meet beside them. */
import type { openSandbox } from '../../test/support/sandbox/sandbox.js';
import { median, type SuiteContext } from '../suite.js';
import { dropFileCache } from './file-cache.js';
import { startOnce } from './start.js';
import { floor, ours, plainNode, plainPython, SUBJECTS, type Subject, type SubjectOptions } from './subjects.js';
import { type ColdStart, coldStartOf } from './timings.js';

const MEMORY_SIZES = [1769, 3008];
const RUNS = 15;
/** From here on a model is large: its weights are what a cold start is about. */
const LARGE_BYTES = 32_000_000;

export interface ComparisonOptions extends SubjectOptions {
  readonly openSandbox: typeof openSandbox;
}

export interface FileCaches {
  readonly isWarm: boolean;
  readonly isCold: boolean;
}

export async function comparePeers(
  context: SuiteContext,
  options: ComparisonOptions,
  { isWarm, isCold }: FileCaches,
): Promise<void> {
  const own = await ours('fp32', options);
  const others = [await ours('fp16', options), plainNode(options), ...python(context, options)];
  for (const memoryMiB of MEMORY_SIZES) {
    const subjects = [own, ...others, floor(own, memoryMiB, options)];
    const at = `${options.model.name} at ${memoryMiB} MB`;
    if (isWarm) await compare(context, options, { name: at, subjects, memoryMiB, isCold: false });
    if (isCold) await compare(context, options, { name: `${at}, cold files`, subjects, memoryMiB, isCold: true });
  }
}

function python({ note, row }: SuiteContext, options: ComparisonOptions): Subject[] {
  try {
    return [plainPython(options)];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    note(`no Python subject here: ${reason}`);
    const [subject, metric] = [SUBJECTS.python, 'to first prediction'];
    row({ case: options.model.name, subject, metric, value: null, unit: 'ms', note: 'none here' });
    return [];
  }
}

interface Case {
  readonly name: string;
  readonly subjects: readonly Subject[];
  readonly memoryMiB: number;
  readonly isCold: boolean;
}

async function compare(
  { row, bar }: SuiteContext,
  { model, openSandbox: open }: ComparisonOptions,
  { name, subjects, memoryMiB, isCold }: Case,
): Promise<void> {
  const starts = new Map<Subject['name'], ColdStart[]>(subjects.map((subject) => [subject.name, []]));
  // The first round brings the files into memory, and does not count.
  for (let round = 0; round <= RUNS; round++) {
    for (const subject of subjects) {
      const sandbox = open(subject.client === undefined ? {} : { client: subject.client });
      try {
        if (isCold) dropFileCache([subject.task, subject.opt]);
        const lines = await startOnce(subject, { runtime: sandbox.runtime, memoryMiB, expected: model.expected });
        if (round > 0) starts.get(subject.name)?.push(coldStartOf(lines));
      } finally {
        sandbox.remove();
      }
    }
  }
  const medianOf = (subject: Subject['name'], figure: (start: ColdStart) => number) => {
    const own = starts.get(subject);
    return own === undefined ? null : median(own.map(figure));
  };
  for (const subject of subjects) {
    const rows: [string, (start: ColdStart) => number, string][] = [
      ['import', (start) => start.import, 'ms'],
      ['session', (start) => start.session, 'ms'],
      ['first run', (start) => start.firstRun, 'ms'],
      ['to first prediction', (start) => start.toFirstPrediction, 'ms'],
      ["runtime's own start", (start) => start.runtimeStart, 'ms'],
      ['total', (start) => start.runtimeStart + start.toFirstPrediction, 'ms'],
      ['peak memory', (start) => start.peakBytes, 'bytes'],
    ];
    for (const [metric, figure, unit] of rows) {
      row({ case: name, subject: subject.name, metric, value: medianOf(subject.name, figure), unit });
    }
  }

  const [own] = subjects;
  if (own === undefined) return;
  const toFirst = (subject: Subject['name']) => starts.get(subject)?.map((start) => start.toFirstPrediction);
  /** The machine's speed drifts: starts of the same round are compared, and the median is taken last. */
  const beside = (subject: Subject['name'], by: (one: number, other: number) => number) => {
    const [mine, others] = [toFirst(SUBJECTS.ours), toFirst(subject)];
    return mine && others ? median(mine.map((one, round) => by(one, others[round] ?? Number.NaN))) : null;
  };
  const ratio = (subject: Subject['name']) => beside(subject, (one, other) => one / other);
  if (own.modelBytes >= LARGE_BYTES) {
    bar(`${name}: ours / ${SUBJECTS.node}`, ratio(SUBJECTS.node), { max: 0.2 });
    bar(`${name}: ours / ${SUBJECTS.python}`, ratio(SUBJECTS.python), { max: 0.2 });
    bar(`${name}: ours / ${SUBJECTS.floor}`, ratio(SUBJECTS.floor), { max: 1.25 });
  } else {
    bar(`${name}: ours / ${SUBJECTS.node}`, ratio(SUBJECTS.node), { max: 1 });
    bar(
      `${name}: above the floor, ms`,
      beside(SUBJECTS.floor, (one, other) => one - other),
      { max: 40 },
    );
  }
  const most = Math.max(...(starts.get(SUBJECTS.ours) ?? []).map(({ peakBytes }) => peakBytes));
  bar(`${name}: peak memory, bytes`, most, { max: Math.round(own.modelBytes * 1.3 + 110e6) });
}
