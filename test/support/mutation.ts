/** Reads damaged copies of models in a process of its own, which may crash, hang or run out of memory without taking this one along. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Edit } from './mutation-edits.js';

/** What is damaged, how, and what reads it. A module that the process imports exports one as `subject`. */
export interface MutationSubject {
  /** Beside the models that are named. */
  readonly originals?: readonly Uint8Array[];
  readonly edits: Readonly<Record<string, Edit>>;
  /**
   * Reads damaged bytes as the product does.
   * @param path of the model that was damaged
   * @returns 'valid', an error's code, or what went wrong in other words
   */
  attempt(bytes: Uint8Array, path: string | undefined): string | Promise<string>;
}

/** ONNX files, as `readOnnx` reads them. */
export const ONNX_SUBJECT = join(import.meta.dirname, 'mutation-subjects/onnx.ts');
/** TensorFlow Lite files, as `readTflite` reads them. */
export const TFLITE_SUBJECT = join(import.meta.dirname, 'mutation-subjects/tflite.ts');
/** Any source that `openModel` opens: the named file is damaged, and what lies beside it is there for the reader too. */
export const SOURCE_SUBJECT = join(import.meta.dirname, 'mutation-subjects/source.ts');

export interface MutationOptions {
  /** Paths of the files to damage. */
  readonly seeds: readonly string[];
  /** Path of the module with the subject. Default ONNX_SUBJECT. */
  readonly subject?: string;
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
  readonly subject: string;
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
  {
    seeds,
    subject = ONNX_SUBJECT,
    seed,
    count,
    timeoutMs = 20_000,
    heapMebibytes = 256,
    from,
  }: MutationOptions & { readonly from: number },
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
    const request: MutationRequest = { subject, seeds, seed, from, to: count };
    worker.send(request);
  });
}
