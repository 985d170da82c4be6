/** Reads damaged copies of models in a process of its own, which may crash, hang or run out of memory without taking this one along. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

export interface MutationOptions {
  /** Paths of the models to damage; one that uses every field of the format is added to them. */
  readonly seeds: readonly string[];
  readonly count: number;
  /** Mutation `i` is made from `seed + i` alone. */
  readonly seed: number;
  /** For one mutation; a hang otherwise. Default 20,000. */
  readonly timeoutMs?: number;
  /** Limit of the heap, in MiB. Default 256. */
  readonly heapMebibytes?: number;
}

export interface MutationReport {
  /** Still a model, and written and read again the same. */
  readonly valid: number;
  /** How often each error code was the answer. */
  readonly refused: Readonly<Record<string, number>>;
  /** Everything else: a crash, a hang, an error without a code. */
  readonly failures: readonly { readonly index: number; readonly what: string }[];
  /** The most memory that the process had. */
  readonly peakBytes: number;
}

export interface MutationRequest {
  readonly seeds: readonly string[];
  readonly seed: number;
  readonly from: number;
  readonly to: number;
}

export interface MutationOutcome {
  readonly index: number;
  readonly kind: string;
  /** `valid`, an error code, or what went wrong. */
  readonly result: string;
}

type Message = MutationOutcome | { readonly done: true; readonly peakBytes: number };

export async function mutateAndRead(options: MutationOptions): Promise<MutationReport> {
  const refused: Record<string, number> = {};
  const failures: { index: number; what: string }[] = [];
  let valid = 0;
  let peakBytes = 0;
  let next = 0;
  const take = ({ index, kind, result }: MutationOutcome) => {
    next = index + 1;
    if (result === 'valid') valid++;
    // Decoding must not meet what the scan in front of it should have seen.
    else if (/^[A-Z_\d]+$/.test(result) && result !== 'PROTOBUF_DECODE') refused[result] = (refused[result] ?? 0) + 1;
    else failures.push({ index, what: `${kind}: ${result}` });
  };
  while (next < options.count) {
    const end = await runWorker({ ...options, from: next }, take);
    if (typeof end === 'number') peakBytes = Math.max(peakBytes, end);
    else {
      failures.push({ index: next, what: end });
      next++;
    }
  }
  return { valid, refused, failures, peakBytes };
}

/** Resolves to the peak of memory, or to how the process ended before it was done. */
function runWorker(
  { seeds, seed, count, timeoutMs = 20_000, heapMebibytes = 256, from }: MutationOptions & { readonly from: number },
  take: (outcome: MutationOutcome) => void,
): Promise<number | string> {
  const worker: ChildProcess = fork(join(import.meta.dirname, 'mutation-worker.ts'), {
    execArgv: ['--import', 'tsx', `--max-old-space-size=${heapMebibytes}`],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout;
    let end: number | string = 'the process ended';
    const restart = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        end = `no answer within ${timeoutMs} ms`;
        worker.kill('SIGKILL');
      }, timeoutMs);
    };
    restart();
    worker.on('message', (message: Message) => {
      restart();
      if ('done' in message) {
        end = message.peakBytes;
        worker.disconnect();
      } else take(message);
    });
    worker.on('error', (error) => {
      end = error.message;
    });
    worker.on('exit', (code, signal) => {
      clearTimeout(timer);
      resolve(typeof end === 'string' && code !== null && code !== 0 ? `exit code ${code}, ${signal ?? ''}` : end);
    });
    const request: MutationRequest = { seeds, seed, from, to: count };
    worker.send(request);
  });
}
