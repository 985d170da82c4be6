/** Whether an endpoint goes on answering while something happens to it. */
import type { EndpointAnswer } from './deployed-endpoint.js';

const CALLERS = 2;
/** So that the work is not starved of this machine's CPU. */
const PAUSE_MS = 50;

export interface AnswersDuring<T> {
  readonly result: T;
  /** What was said of the answers, each once, in order. */
  readonly answers: readonly string[];
  /** How many answers there were. */
  readonly count: number;
}

/**
 * Calls from two sides until `work` has ended.
 *
 * @param describe what there is to say of an answer with the status 200; others are quoted, and so is a connection that fails
 */
export async function answersDuring<T>(
  work: Promise<T>,
  call: () => Promise<EndpointAnswer>,
  describe: (answer: EndpointAnswer) => string,
): Promise<AnswersDuring<T>> {
  let ended = false;
  let count = 0;
  const answers = new Set<string>();
  const ask = async () => {
    while (!ended) {
      const said = await call().then(
        (answer) => (answer.status === 200 ? describe(answer) : `${answer.status} ${answer.body}`),
        (error: unknown) => String(error),
      );
      answers.add(said);
      count += 1;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const callers = Array.from({ length: CALLERS }, ask);
  const result = await work.finally(() => {
    ended = true;
  });
  await Promise.all(callers);
  return { result, answers: [...answers], count };
}
