import type { Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { ByteRange } from './range-plan.js';

const BLOCK_BYTES = 1024 * 1024;

/** The hash of a file that is written range by range: what is there from the beginning on is hashed while the rest arrives. */
export class InOrderHash {
  private readonly block = Buffer.allocUnsafe(BLOCK_BYTES);
  private readonly written = new Set<number>();
  private next = 0;
  private isRunning = false;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly hash: Hash,
    private readonly file: FileHandle,
    private readonly ranges: readonly ByteRange[],
  ) {}

  /** Tells that the range of this index is in the file. */
  add(index: number): void {
    this.written.add(index);
    if (this.isRunning) return;
    this.isRunning = true;
    this.running = this.advance();
    // A failure is `digest`'s to tell.
    this.running.catch(() => undefined);
  }

  /** Lower-case hexadecimal, once every range was added. */
  async digest(): Promise<string> {
    await this.running;
    return this.hash.digest('hex');
  }

  /** When nothing reads the file any more. */
  async settled(): Promise<void> {
    await this.running.catch(() => undefined);
  }

  private async advance(): Promise<void> {
    for (let range = this.ranges[this.next]; range !== undefined && this.written.has(this.next); ) {
      await this.read(range);
      this.next += 1;
      range = this.ranges[this.next];
    }
    // Not after a failure: it stays the outcome.
    this.isRunning = false;
  }

  private async read({ start, end }: ByteRange): Promise<void> {
    for (let position = start; position < end; ) {
      const length = Math.min(this.block.length, end - position);
      const { bytesRead } = await this.file.read(this.block, 0, length, position);
      if (bytesRead === 0) throw new Error(`the file ends at ${position}`);
      this.hash.update(this.block.subarray(0, bytesRead));
      position += bytesRead;
    }
  }
}
