/** What a request costs on its way through the router, at a function's share of a CPU, beside a floor and the SDK. */
import { predictionEvent, predictionRequest } from '../../test/support/fault-run/prediction.js';
import { median, type SuiteContext } from '../suite.js';
import { CpuShare, type LambdaRuntime } from './lambda-runtime.js';
import { prepareSubjects, StartedSubject, SUBJECTS, type SubjectName, startInstantLambda } from './subjects.js';

const CASE = 'overhead at 1024 MB';
const MEMORY_MIB = 1024;
/** `warmUp`: until everything is compiled that will be. */
const SIZES = [
  { name: '10 kB', bytes: 10_000, runs: 400, warmUp: 300 },
  { name: '1 MB', bytes: 1_000_000, runs: 120, warmUp: 40 },
] as const;

export async function overhead(context: SuiteContext, runtime: LambdaRuntime): Promise<void> {
  const { row, bar } = context;
  const { subjects, remove } = await prepareSubjects(context);
  const lambda = await startInstantLambda();
  const started: StartedSubject[] = [];
  const shares: CpuShare[] = [];
  try {
    for (const subject of subjects) {
      const share = new CpuShare(MEMORY_MIB);
      shares.push(share);
      const options = {
        runtime,
        share,
        memoryMiB: MEMORY_MIB,
        lambdaUrl: lambda.url,
        handler: 'index.handler' as const,
      };
      started.push(await StartedSubject.start(subject, options));
    }
    for (const { name, bytes, runs, warmUp } of SIZES) {
      for (const form of ['json', 'binary'] as const) {
        const payload = eventOf(form, bytes);
        const times = await inTurn(started, payload, { runs, warmUp });
        const subject = (each: SubjectName) => `${each}, ${name} ${form}`;
        for (const [each, milliseconds] of times) {
          row({ case: CASE, subject: subject(each), metric: 'median', value: median(milliseconds), unit: 'ms' });
          row({ case: CASE, subject: subject(each), metric: 'mean', value: mean(milliseconds), unit: 'ms' });
        }
        const [ours = [], floor = []] = [times.get(SUBJECTS.router), times.get(SUBJECTS.floor)];
        if (name === '10 kB') bar(`${name} of ${form} through the router, ms at the median`, median(ours), { max: 4 });
        // Requests of the same turn are compared: the machine's speed drifts.
        const ratios = ours.map((value, run) => value / (floor[run] ?? Number.NaN));
        if (name === '1 MB') bar(`${name} of ${form}: router / floor`, median(ratios), { max: 2 });
      }
    }
    if (subjects.length < Object.keys(SUBJECTS).length) {
      row({ case: CASE, subject: SUBJECTS.sdk, metric: 'median', value: null, unit: 'ms', note: 'none here' });
    }
  } finally {
    for (const each of started) await each.stop();
    for (const share of shares) share[Symbol.dispose]();
    await lambda.close();
    remove();
  }
}

/** The subjects one after the other, again and again. */
async function inTurn(
  subjects: readonly StartedSubject[],
  payload: string,
  { runs, warmUp }: { readonly runs: number; readonly warmUp: number },
): Promise<Map<SubjectName, number[]>> {
  const times = new Map<SubjectName, number[]>(subjects.map(({ name }) => [name, []]));
  for (let run = -warmUp; run < runs; run++) {
    for (const subject of subjects) {
      const milliseconds = await subject.ask(payload);
      if (run >= 0) times.get(subject.name)?.push(milliseconds);
    }
  }
  return times;
}

/** With a body of so many bytes, as the caller sent it. */
function eventOf(form: 'json' | 'binary', bytes: number): string {
  const sizeOf = (batch: number) => Buffer.byteLength(predictionRequest(1, form, batch).body);
  const perRow = (sizeOf(101) - sizeOf(1)) / 100;
  return JSON.stringify(predictionEvent(predictionRequest(1, form, Math.round(bytes / perRow))));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
