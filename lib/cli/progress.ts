/** Progress for people: one line that changes on a terminal, plain lines elsewhere. Always on stderr: stdout belongs to results. */
import { formatDuration } from '../artifact/units.js';

export interface Progress {
  /** A step begins; the one before it has ended. */
  step(name: string): void;
  /** A detail of the running step, for example `3 of 12`. */
  detail(text: string): void;
  /** A line that stays. */
  note(text: string): void;
  /** The last step has ended. */
  done(): void;
}

export interface ProgressOptions {
  /** Default: process.stderr. */
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  /** Milliseconds after which a step is worth a plain line where there is no terminal. Default 1,000. */
  readonly slow?: number;
}

export function createProgress(options: ProgressOptions = {}): Progress {
  const stream = options.stream ?? process.stderr;
  const slow = options.slow ?? 1000;
  const terminal = stream.isTTY === true;
  let current: { name: string; start: number } | undefined;
  let timer: NodeJS.Timeout | undefined;

  const clear = () => {
    if (terminal) stream.write('\r\u001b[K');
  };
  const paint = (detail = '') => {
    if (terminal && current !== undefined) {
      const text = `… ${current.name}${detail === '' ? '' : `: ${detail}`}`;
      stream.write(`\r\u001b[K${text.slice(0, (stream.columns ?? 80) - 1)}`);
    }
  };
  const end = () => {
    clearTimeout(timer);
    if (current === undefined) return;
    const milliseconds = performance.now() - current.start;
    clear();
    if (terminal || milliseconds >= slow) stream.write(`✓ ${current.name} (${formatDuration(milliseconds)})\n`);
    current = undefined;
  };
  return {
    step(name) {
      end();
      current = { name, start: performance.now() };
      if (terminal) paint();
      else {
        timer = setTimeout(() => stream.write(`… ${name}\n`), slow);
        timer.unref();
      }
    },
    detail: paint,
    note(text) {
      clear();
      stream.write(`${text}\n`);
      paint();
    },
    done: end,
  };
}
