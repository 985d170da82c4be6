/** Sends damaged requests to the real bundle with the real layer, in child processes that may crash or hang. */
import { randomFrom } from '../mutation-edits.js';
import {
  type FunctionResult,
  type PreparedFunction,
  prepareFunction,
  type RunningFunction,
} from '../predict-function.js';
import { type ServedArtifact, writeEchoArtifact, writeFaceArtifact, writeTaskArtifact } from '../served-artifact.js';
import { soundModel, textModel } from '../task-models.js';
import { mutateRequest } from './edits.js';
import { EVENT_KINDS, type EventKind, gatewayEvent } from './gateway-events.js';
import { ECHO_INPUTS, type ValidRequest, validRequests, type WireRequest } from './valid-requests.js';

export interface RequestMutationOptions {
  readonly count: number;
  /** Mutation `i` is made from `seed + i` alone. */
  readonly seed: number;
  /** For one answer; a hang otherwise. Default 10,000. */
  readonly timeoutMs?: number;
  /** Path of the Node.js that runs the function. Default: the one that runs this. */
  readonly node?: string;
  /** Default: every kind. */
  readonly requests?: readonly ValidRequest[];
}

export interface RequestMutationReport {
  /** How often each HTTP status was the answer. */
  readonly statuses: Readonly<Record<string, number>>;
  /** How often each error code was the answer. */
  readonly codes: Readonly<Record<string, number>>;
  /** Everything else: a crash, a hang, a 500, an answer of no form. */
  readonly failures: readonly RequestMutationFailure[];
  /** The longest that an answer took, in ms. */
  readonly slowestMs: number;
}

export interface RequestMutationFailure {
  /** Makes this mutation, as the only one. */
  readonly seed: number;
  readonly what: string;
  /** The request as JSON, its body in base64: enough to send it again. */
  readonly request: string;
}

/** How many mutations pass between two looks at whether the valid requests are answered as ever. */
const CHECK_EVERY = 250;

export async function mutateAndInvoke(options: RequestMutationOptions): Promise<RequestMutationReport> {
  const { count, seed, timeoutMs = 10_000 } = options;
  const requests = options.requests ?? (await validRequests());
  const services = new Services(await prepareFunction(), options.node);
  const statuses: Record<string, number> = {};
  const codes: Record<string, number> = {};
  const failures: RequestMutationFailure[] = [];
  let slowestMs = 0;
  try {
    const answersOf = async () => {
      const results: FunctionResult[] = [];
      for (const request of requests) {
        results.push(await services.invoke(request.model, gatewayEvent('HTTP API', request), timeoutMs));
      }
      return results.map(({ statusCode, body }) => `${statusCode} ${body}`);
    };
    const healthy = await answersOf();
    const unwell = healthy.findIndex((answer) => !answer.startsWith('200 '));
    if (unwell >= 0) throw new Error(`the valid request ${requests[unwell]?.name} is answered ${healthy[unwell]}`);
    for (let index = 0; index < count; index++) {
      const { model, request, kinds, event, name } = mutationOf(requests, seed + index);
      const fail = (what: string) =>
        failures.push({
          seed: seed + index,
          what: `${name}, ${kinds.join(' + ')}, ${event}: ${what}`,
          request: asText(request),
        });
      const start = performance.now();
      try {
        const result = await services.invoke(model, gatewayEvent(event, request), timeoutMs);
        const code = answerCode(result);
        statuses[result.statusCode] = (statuses[result.statusCode] ?? 0) + 1;
        if (code !== undefined) codes[code] = (codes[code] ?? 0) + 1;
      } catch (error) {
        fail(error instanceof Error ? error.message : String(error));
      }
      slowestMs = Math.max(slowestMs, performance.now() - start);
      if (index % CHECK_EVERY !== CHECK_EVERY - 1 && index !== count - 1) continue;
      const now = await answersOf();
      const changed = now.findIndex((answer, place) => answer !== healthy[place]);
      if (changed >= 0) fail(`afterwards ${requests[changed]?.name} is answered ${now[changed]?.slice(0, 300)}`);
    }
  } finally {
    await services.close();
  }
  return { statuses, codes, failures, slowestMs };
}

interface Mutation {
  readonly name: string;
  readonly model: ValidRequest['model'];
  readonly request: WireRequest;
  readonly kinds: readonly string[];
  readonly event: EventKind;
}

function mutationOf(requests: readonly ValidRequest[], seed: number): Mutation {
  const random = randomFrom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const original = pick(requests);
  const event = pick(EVENT_KINDS);
  return { name: original.name, model: original.model, event, ...mutateRequest(original, random) };
}

/**
 * The code of an error answer, undefined for a success.
 * @throws Error for an answer that no caller could read, or that says that the function failed
 */
function answerCode({ statusCode, headers, body, isBase64Encoded }: FunctionResult): string | undefined {
  const shown = `${statusCode} ${String(body).slice(0, 500)}`;
  if (!Number.isInteger(statusCode) || statusCode < 200 || statusCode >= 500) throw new Error(shown);
  if (statusCode < 400) {
    const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
    const document = Number(headers['inference-header-content-length'] ?? bytes.length);
    if (!(document <= bytes.length)) throw new Error(`a document of ${document} bytes: ${shown}`);
    JSON.parse(bytes.toString('utf8', 0, document));
    return undefined;
  }
  const { error, code, advice, ...rest } = JSON.parse(body) as Record<string, unknown>;
  const isWellFormed =
    typeof error === 'string' &&
    typeof advice === 'string' &&
    typeof code === 'string' &&
    /^[A-Z][A-Z0-9_]+$/.test(code) &&
    error.length > 0 &&
    error.length < 1500 &&
    advice.length > 0 &&
    Object.keys(rest).length === 0 &&
    !/\bat .*:\d+:\d+|node:internal|node_modules/.test(body);
  if (!isWellFormed) throw new Error(`an error of no form: ${shown}`);
  return code;
}

function asText({ method, path, headers, body }: WireRequest): string {
  return JSON.stringify({ method, path, headers, body: Buffer.from(body).toString('base64') });
}

/** A running function per model, started again after it crashed or hung. */
class Services {
  private readonly artifacts: Readonly<Record<ValidRequest['model'], ServedArtifact>> = {
    echo: writeEchoArtifact(ECHO_INPUTS),
    faces: writeFaceArtifact(),
    texts: writeTaskArtifact('texts', textModel()),
    sounds: writeTaskArtifact('sounds', soundModel()),
  };
  private readonly running = new Map<ValidRequest['model'], RunningFunction>();

  constructor(
    private readonly prepared: PreparedFunction,
    private readonly node: string | undefined,
  ) {}

  /** @throws Error when the function ended, or gave no answer in time */
  async invoke(model: ValidRequest['model'], event: unknown, timeoutMs: number): Promise<FunctionResult> {
    const service = this.running.get(model) ?? (await this.start(model));
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      return await Promise.race([service.invoke(event), timeout]);
    } catch (error) {
      this.running.delete(model);
      await service.stop();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  private async start(model: ValidRequest['model']): Promise<RunningFunction> {
    const artifact = this.artifacts[model].folder;
    const service = await this.prepared.start({ artifact, ...(this.node === undefined ? {} : { node: this.node }) });
    this.running.set(model, service);
    return service;
  }

  async close(): Promise<void> {
    await Promise.all([...this.running.values()].map((service) => service.stop()));
    for (const artifact of Object.values(this.artifacts)) artifact.remove();
    this.prepared.remove();
  }
}
