/** How long Lambda's runtime takes to load the router, beside one with the SDK's clients. */

import { predictionEvent, predictionRequest } from '../../test/support/fault-run/prediction.js';
import { median, type SuiteContext } from '../suite.js';
import { CpuShare, type LambdaRuntime } from './lambda-runtime.js';
import { prepareSubjects, StartedSubject, SUBJECTS, type Subject, startInstantLambda } from './subjects.js';

const CASE = 'import at 1769 MB';
const MEMORY_MIB = 1769;
const RUNS = 21;

export async function importTime(context: SuiteContext, runtime: LambdaRuntime): Promise<void> {
  const { row, bar } = context;
  const { subjects, remove } = await prepareSubjects(context);
  const lambda = await startInstantLambda();
  const times = new Map(subjects.map(({ name }) => [name, [] as number[]]));
  const event = JSON.stringify(predictionEvent(predictionRequest(1, 'json', 4)));
  const importOnce = async (subject: Subject): Promise<number> => {
    using share = new CpuShare(MEMORY_MIB);
    const options = { runtime, share, memoryMiB: MEMORY_MIB, lambdaUrl: lambda.url, handler: 'clock.handler' as const };
    const started = await StartedSubject.start(subject, options);
    try {
      await started.ask(event);
      return await importMilliseconds(started);
    } finally {
      await started.stop();
    }
  };
  try {
    // The first round brings the files into memory, and does not count.
    for (let round = 0; round <= RUNS; round++) {
      for (const subject of subjects) {
        const milliseconds = await importOnce(subject);
        if (round > 0) times.get(subject.name)?.push(milliseconds);
      }
    }
  } finally {
    await lambda.close();
    remove();
  }
  for (const name of [SUBJECTS.router, SUBJECTS.sdk]) {
    const value = times.has(name) ? median(times.get(name) ?? []) : null;
    const said = value === null ? { note: 'none here' } : {};
    row({ case: CASE, subject: name, metric: `median of ${RUNS}`, value, unit: 'ms', ...said });
  }
  bar('import of the router, ms', median(times.get(SUBJECTS.router) ?? []), { max: 60 });
  const sdk = times.get(SUBJECTS.sdk);
  const ratios = times.get(SUBJECTS.router)?.map((value, round) => value / (sdk?.[round] ?? Number.NaN));
  bar('import of the router / of one with the SDK', sdk && ratios ? median(ratios) : null, { max: 1 });
}

/** As clock.mjs says it; the line may come a little after the answer. */
async function importMilliseconds({ lines }: StartedSubject): Promise<number> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const line = lines.find((each) => each.startsWith('{"clock":'));
    if (line !== undefined) {
      const { clock } = JSON.parse(line) as { readonly clock: { readonly start: number; readonly loaded: number } };
      return clock.loaded - clock.start;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('the subject did not say its times');
}
