/** One version of the function, asked through Lambda's API. */
import { setTimeout as sleep } from 'node:timers/promises';
import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { type Answer, membersOf, readAnswer } from './answer.js';
import { eventOf, type ReplayedRequest } from './requests/replayed-request.js';

export type Reply =
  | { readonly kind: 'answer'; readonly answer: Answer; readonly version: string | undefined }
  /** The function failed, or what it returned is no answer. */
  | { readonly kind: 'failed'; readonly code: string };

/** @param version an ARN with a qualifier */
export type Ask = (version: string, request: ReplayedRequest) => Promise<Reply>;

/** A role's policy may be seconds old, and so may the version: each counts from when Lambda knows of it. */
const PASSING = new Set(['AccessDeniedException', 'ResourceConflictException', 'ResourceNotReadyException']);
const PAUSE_MS = 2_000;
const ATTEMPTS = 10;
/** An environment that still loads its model says so. */
const LOADING_STATUS = 503;

/**
 * @throws what Lambda's API throws, and what `signal` was aborted with
 */
export function askThrough(client: LambdaClient, signal: AbortSignal): Ask {
  return async (version, request) => {
    const payload = Buffer.from(JSON.stringify(eventOf(request)));
    for (let attempt = 1; ; attempt++) {
      try {
        const reply = await invoke(client, version, payload, signal);
        const isLoading = reply.kind === 'answer' && reply.answer.status === LOADING_STATUS;
        if (!isLoading || attempt === ATTEMPTS) return reply;
      } catch (error) {
        if (!PASSING.has((error as Error).name) || attempt === ATTEMPTS) throw error;
      }
      await sleep(PAUSE_MS, undefined, { signal });
    }
  };
}

async function invoke(client: LambdaClient, version: string, payload: Uint8Array, signal: AbortSignal): Promise<Reply> {
  const { FunctionError, Payload, ExecutedVersion } = await client.send(
    new InvokeCommand({ FunctionName: version, Payload: payload }),
    { abortSignal: signal },
  );
  const returned = Payload ?? new Uint8Array();
  if (FunctionError !== undefined) {
    return { kind: 'failed', code: String(membersOf(returned).errorType ?? FunctionError) };
  }
  const answer = readAnswer(returned);
  return answer === undefined
    ? { kind: 'failed', code: 'RESULT_INVALID' }
    : { kind: 'answer', answer, version: ExecutedVersion };
}
