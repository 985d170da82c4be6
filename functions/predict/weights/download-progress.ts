import { readFileSync } from 'node:fs';
import { log } from '../../log/log.js';

/** A line at each quarter, and at least this often. */
const QUARTERS = 4;
const LINE_EVERY_MS = 5_000;
/** After so many retries only the last line tells of them. */
const MAX_RETRY_LINES = 10;

/** Writes of a download into the log. */
export class DownloadProgress {
  private readonly start = performance.now();
  private lastLine = this.start;
  private loaded = 0;
  private quarter = 0;
  private retries = 0;

  constructor(
    private readonly model: string,
    private readonly bytes: number,
  ) {
    log('INFO', 'loading weights', { model, bytes });
  }

  add(bytes: number): void {
    this.loaded += bytes;
    const quarter = Math.floor((this.loaded / this.bytes) * QUARTERS);
    const isDue = quarter > this.quarter || performance.now() - this.lastLine >= LINE_EVERY_MS;
    if (!isDue || this.loaded === this.bytes) return;
    this.quarter = quarter;
    this.lastLine = performance.now();
    log('INFO', 'weights loading', {
      model: this.model,
      loadedBytes: this.loaded,
      bytes: this.bytes,
      ms: this.passed(),
    });
  }

  retry(reason: string): void {
    this.retries += 1;
    if (this.retries <= MAX_RETRY_LINES) log('WARN', 'a part of the weights is asked for again', { reason });
  }

  done(): void {
    const ms = this.passed();
    log('INFO', 'weights loaded', {
      model: this.model,
      bytes: this.bytes,
      ms,
      megabytesPerSecond: Math.round(this.bytes / 1000 / Math.max(1, ms)),
      retries: this.retries,
      peakMemoryMiB: peakMemoryMiB(),
    });
  }

  private passed(): number {
    return Math.round(performance.now() - this.start);
  }
}

/** Of this process so far. `process.resourceUsage().maxRSS` would tell that of the process that started it, where it is larger. */
function peakMemoryMiB(): number | undefined {
  try {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return kib === undefined ? undefined : Math.ceil(Number(kib) / 1024);
  } catch {
    // Not a Linux.
    return undefined;
  }
}
