/** As many execution environments of one function as its concurrency needs. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type EnvironmentOptions, type EnvironmentOutcome, ExecutionEnvironment } from './execution-environment.js';

export interface FunctionPoolOptions extends Omit<EnvironmentOptions, 'logStream' | 'temporaryFolder'> {
  /** A folder in which every environment gets its own. */
  readonly temporaryFolder: string;
  /** Requests that find this many environments busy wait their turn. */
  readonly maxConcurrency: number;
  /** Lambda's init phase in ms; what takes longer is started once more under the function's own timeout. */
  readonly initLimitMs: number;
}

export interface PoolInvocation {
  readonly outcome: EnvironmentOutcome | { readonly kind: 'init-failed'; readonly reason: string };
  /** Which environment ran it, counted from 1. */
  readonly environment: number;
  /** What the cold start took, in ms; undefined when the environment was warm. */
  readonly initMs: number | undefined;
  readonly runMs: number;
  /** Of the environment so far, in MiB. */
  readonly peakMemoryMiB: number | undefined;
  /** What the function wrote meanwhile; with a cold start, what it wrote before too. */
  readonly lines: readonly string[];
}

interface Slot {
  readonly number: number;
  readonly environment: ExecutionEnvironment;
  /** Written since the last invocation. */
  readonly lines: string[];
}

interface Call {
  readonly requestId: string;
  readonly payload: string;
  readonly onStream: ((stream: Readable) => void) | undefined;
}
/** More than anybody asks for; a function that writes on while it is idle must not fill the memory. */
const MAX_KEPT_LINES = 1000;

export class FunctionPool {
  private readonly idle: Slot[] = [];
  private readonly live = new Set<ExecutionEnvironment>();
  private readonly waiting: (() => void)[] = [];
  private busy = 0;
  private started = 0;
  private closed = false;

  constructor(private readonly options: FunctionPoolOptions) {}

  /** @param onStream takes an answer that the function streams, while it comes */
  async invoke(requestId: string, payload: string, onStream?: (stream: Readable) => void): Promise<PoolInvocation> {
    await this.takeTurn();
    try {
      return await this.run({ requestId, payload, onStream });
    } finally {
      this.busy -= 1;
      this.waiting.shift()?.();
    }
  }

  /** Kills every environment. Requests under way end as if their environment had crashed. */
  async close(): Promise<void> {
    this.closed = true;
    for (const release of this.waiting.splice(0)) release();
    await Promise.all([...this.live].map((environment) => environment.kill()));
  }

  private async takeTurn(): Promise<void> {
    while (this.busy >= this.options.maxConcurrency && !this.closed) {
      await new Promise<void>((release) => this.waiting.push(release));
    }
    this.busy += 1;
  }

  private async run(call: Call): Promise<PoolInvocation> {
    const { initLimitMs } = this.options;
    const timeoutMs = this.options.function.timeoutSeconds * 1000;
    const warm = this.takeIdle();
    if (warm !== undefined) return await this.runIn(warm, call, timeoutMs, undefined);

    if (this.closed) {
      const outcome = { kind: 'exit', reason: 'the host is stopping' } as const;
      return { outcome, environment: 0, initMs: undefined, runMs: 0, peakMemoryMiB: undefined, lines: [] };
    }
    const begin = performance.now();
    let slot = this.newSlot();
    let init = await slot.environment.start(initLimitMs);
    let remainingMs = timeoutMs;
    if (init.kind === 'timeout' && !this.closed) {
      this.options.onLine(`init took more than ${initLimitMs} ms: once more, within the function's timeout`);
      slot = this.newSlot();
      init = await slot.environment.start(timeoutMs);
      if (init.kind === 'ready') remainingMs = Math.max(1, timeoutMs - init.milliseconds);
    }
    const initMs = performance.now() - begin;
    if (init.kind === 'ready') return await this.runIn(slot, call, remainingMs, initMs);
    const outcome: PoolInvocation['outcome'] =
      init.kind === 'timeout' ? { kind: 'timeout' } : { kind: 'init-failed', reason: init.reason };
    return { outcome, environment: slot.number, initMs, runMs: 0, peakMemoryMiB: undefined, lines: slot.lines };
  }

  private async runIn(
    slot: Slot,
    { requestId, payload, onStream }: Call,
    limitMs: number,
    initMs: number | undefined,
  ): Promise<PoolInvocation> {
    const begin = performance.now();
    const outcome = await slot.environment.invoke(requestId, payload, limitMs, onStream);
    const runMs = performance.now() - begin;
    const peakMemoryMiB = slot.environment.peakMemoryMiB();
    // What the function wrote before it answered lies in its pipes by now, and is read in this turn of the event loop or the next.
    await nextTurn();
    await nextTurn();
    const lines = slot.lines.splice(0);
    if (slot.environment.isAlive) this.idle.push(slot);
    return { outcome, environment: slot.number, initMs, runMs, peakMemoryMiB, lines };
  }

  private takeIdle(): Slot | undefined {
    for (let slot = this.idle.pop(); slot !== undefined; slot = this.idle.pop()) {
      if (slot.environment.isAlive) return slot;
    }
    return undefined;
  }

  private newSlot(): Slot {
    this.started += 1;
    const number = this.started;
    const lines: string[] = [];
    const environment = new ExecutionEnvironment({
      ...this.options,
      onLine: (line) => {
        lines.push(line);
        if (lines.length > MAX_KEPT_LINES) lines.shift();
        this.options.onLine(line);
      },
      temporaryFolder: join(this.options.temporaryFolder, `environment-${number}`),
      logStream: `local/[$LATEST]${randomUUID().replaceAll('-', '')}`,
    });
    this.live.add(environment);
    void environment.exited.then(() => this.live.delete(environment));
    return { number, environment, lines };
  }
}
