/** Progress for people: one line that changes on a terminal, plain lines elsewhere. Always on stderr: stdout belongs to results. */
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

/** `850 ms`, `2.4 s`, `3 min 5 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`;
}

/** `603 kB`, `26.2 MB`: decimal, as AWS's limits are given. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0)} kB`;
  if (bytes < 1_000_000_000) return `${(bytes / 1_000_000).toFixed(1)} MB`;
  return `${(bytes / 1_000_000_000).toFixed(2)} GB`;
}
