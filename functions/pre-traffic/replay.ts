/** Sends requests to the new version and to the one that is live, and counts answers that are not the same. */
import type { ReplaySettings } from '../../lib/artifact/replay.js';
import type { Log } from '../log/log.js';
import { type Answer, membersOf } from './answer.js';
import { compareAnswers } from './compare/compare-answers.js';
import type { Difference } from './compare/difference.js';
import type { Ask, Reply } from './invoke.js';
import { generateRequests, type InputMetadata, OPEN_SIZES } from './requests/generated-requests.js';
import type { ReplayedRequest } from './requests/replayed-request.js';

export interface ReplayOptions {
  readonly ask: Ask;
  /** ARNs. */
  readonly newVersion: string;
  readonly liveAlias: string;
  readonly settings: ReplaySettings;
  /** Undefined: they are generated. */
  readonly recorded: AsyncIterable<ReplayedRequest> | undefined;
  readonly log: Log;
}

export interface ReplayResult {
  readonly passes: boolean;
  /** Answers of both versions, or one that was recorded. */
  readonly compared: number;
  readonly different: number;
  /** Answers of the new version that there was nothing to compare with. */
  readonly answered: number;
  /** Requests of which nothing can be learned: what is live refuses them too. */
  readonly unusable: number;
}

export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const { ask, newVersion, liveAlias, settings, log } = options;
  const ready = get(`/v2/models/${encodeURIComponent(settings.model)}/ready`);
  const next = await ask(newVersion, ready);
  const tally = { compared: 0, different: 0, answered: 0, unusable: 0 };
  if (next.kind !== 'answer' || next.answer.status !== 200) {
    log('ERROR', 'the new version is not ready', { answer: described(next) });
    return { passes: false, ...tally };
  }
  const liveReply = await ask(liveAlias, ready);
  const isLive = liveReply.kind === 'answer' && liveReply.version !== newVersion.split(':').at(-1);
  if (!isLive) log('WARN', 'there is no other version to compare with', { live: described(liveReply) });
  const live = isLive ? liveAlias : undefined;

  for await (const request of await requestsOf(options, live)) {
    if (tally.compared + tally.answered + tally.unusable >= settings.maxRequests) break;
    const [before, now] = await Promise.all([
      live === undefined ? undefined : ask(live, request),
      ask(newVersion, request),
    ]);
    const verdict = judge(request, before, now, settings);
    tally[verdict.kind] += 1;
    if (verdict.kind === 'different') {
      tally.compared += 1;
      log('WARN', 'an answer differs', { request: request.name, differences: verdict.differences });
    }
  }
  const tolerated = Math.floor(settings.maxDifferentShare * tally.compared);
  if (tally.compared === 0) log('WARN', 'nothing could be compared', tally);
  return { passes: tally.different <= tolerated, ...tally };
}

type Verdict =
  | { readonly kind: 'compared' | 'answered' | 'unusable' }
  | { readonly kind: 'different'; readonly differences: readonly (Difference | FailedCall)[] };

interface FailedCall {
  readonly kind: 'failed';
  readonly code: string;
}

function judge(
  { recordedAnswer }: ReplayedRequest,
  before: Reply | undefined,
  now: Reply,
  settings: ReplaySettings,
): Verdict {
  const reference = before?.kind === 'answer' && before.answer.status < 500 ? before.answer : recordedAnswer;
  if (now.kind === 'failed') {
    // Both fail: it is the request.
    if (before?.kind === 'failed' && recordedAnswer === undefined) return { kind: 'unusable' };
    return { kind: 'different', differences: [{ kind: 'failed', code: now.code }] };
  }
  if (reference === undefined) return withoutReference(before, now.answer);
  const differences = compareAnswers(reference, now.answer, settings);
  if (differences.length > 0) return { kind: 'different', differences };
  return { kind: reference.status === 200 ? 'compared' : 'unusable' };
}

/** Nothing was recorded, and there is no live version or it fails itself. */
function withoutReference(before: Reply | undefined, now: Answer): Verdict {
  if (now.status === 200) return { kind: 'answered' };
  if (before !== undefined || now.status < 500) return { kind: 'unusable' };
  return { kind: 'different', differences: [{ kind: 'failed', code: `HTTP_${now.status}` }] };
}

/** Recorded ones; where there are none, those that the version with the traffic, or else the new one, finds well made. */
async function requestsOf(
  { ask, newVersion, settings, recorded, log }: ReplayOptions,
  live: string | undefined,
): Promise<AsyncIterable<ReplayedRequest> | Iterable<ReplayedRequest>> {
  const iterator = recorded?.[Symbol.asyncIterator]();
  const first = await iterator?.next();
  if (iterator !== undefined && first?.done === false) return continued(first.value, iterator);
  if (recorded !== undefined) log('WARN', 'there are no recorded requests, so some are generated');
  const version = live ?? newVersion;
  const metadata = await ask(version, get(`/v2/models/${encodeURIComponent(settings.model)}`));
  const { inputs } = metadata.kind === 'answer' ? membersOf(metadata.answer.body) : {};
  if (!Array.isArray(inputs)) return [];
  for (const size of OPEN_SIZES) {
    const requests = generateRequests(settings.model, inputs as InputMetadata[], size);
    const [probe] = requests;
    if (probe === undefined) continue;
    const reply = await ask(version, probe);
    if (reply.kind === 'answer' && reply.answer.status === 200) return requests;
  }
  return [];
}

async function* continued(
  first: ReplayedRequest,
  rest: AsyncIterator<ReplayedRequest>,
): AsyncGenerator<ReplayedRequest> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

function get(path: string): ReplayedRequest {
  return { name: path, method: 'GET', path, headers: {}, isBase64: false };
}

function described(reply: Reply): object {
  return reply.kind === 'failed' ? reply : { status: reply.answer.status, version: reply.version };
}
