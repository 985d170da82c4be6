import type { FileHandle } from 'node:fs/promises';

const BLOCK_BYTES = 1024 * 1024;

/** Collects the small pieces in which a connection delivers and writes them to a file in blocks, at their position. */
export class BlockWriter {
  private readonly block = Buffer.allocUnsafe(BLOCK_BYTES);
  private filled = 0;
  private start = 0;

  constructor(
    private readonly file: FileHandle,
    private readonly onWritten: (bytes: number) => void,
  ) {}

  /** Up to where the file is written. */
  get position(): number {
    return this.start;
  }

  /** Up to where pieces came, written or not. */
  get received(): number {
    return this.start + this.filled;
  }

  moveTo(position: number): void {
    this.start = position;
    this.filled = 0;
  }

  async write(piece: Buffer): Promise<void> {
    for (let taken = 0; taken < piece.length; ) {
      const count = piece.copy(this.block, this.filled, taken);
      taken += count;
      this.filled += count;
      if (this.filled === this.block.length) await this.flush();
    }
  }

  async flush(): Promise<void> {
    for (let offset = 0; offset < this.filled; ) {
      const { bytesWritten } = await this.file.write(this.block, offset, this.filled - offset, this.start + offset);
      offset += bytesWritten;
    }
    this.onWritten(this.filled);
    this.moveTo(this.received);
  }
}
