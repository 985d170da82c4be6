/** One object of S3 into one file: several ranges at once, each retried on its own, all of it hashed on the way. */
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArtifactError } from '../../../lib/errors.js';
import { BlockWriter } from './block-writer.js';
import { InOrderHash } from './in-order-hash.js';
import { type ByteRange, planRanges } from './range-plan.js';
import { TransientError } from './s3-error.js';
import type { S3Object } from './s3-object.js';
import { S3Reader } from './s3-reader.js';

/** Within the 8 to 16 MB that AWS recommends: https://docs.aws.amazon.com/whitepapers/latest/s3-optimizing-performance-best-practices/ */
const RANGE_BYTES = 8 * 1024 * 1024;
/** S3 gives one connection some 85 to 90 MB/s at most, a function's network about as much: a few fill it. */
const CONNECTIONS = 8;
/** Attempts in a row that bring nothing. */
const MAX_FAILURES = 6;
const BACKOFF_MS = { first: 100, most: 3_000 };
/** A connection that brings less in this time is given up for a new one. */
const STALLED = { ms: 5_000, bytes: 64 * 1024 };

export interface DownloadOptions {
  readonly object: S3Object;
  readonly bytes: number;
  /** Open for reading and writing, and empty. */
  readonly file: FileHandle;
  /** Told how many more bytes are in the file. */
  readonly onBytes?: (bytes: number) => void;
  /** Told of each attempt that failed and is made again. */
  readonly onRetry?: (reason: string) => void;
  /** Default 8 MiB. */
  readonly rangeBytes?: number;
  /** Default 8. */
  readonly connections?: number;
  /** Default 5,000. */
  readonly stalledMs?: number;
}

/**
 * Memory taken: 1 MiB per connection and one for the hash, whatever the object's size.
 *
 * @returns sha256 of the file, lower-case hexadecimal
 * @throws ArtifactError `WEIGHTS_UNREACHABLE` after six attempts in a row without a byte, and what `S3Reader` throws
 */
export async function download(options: DownloadOptions): Promise<string> {
  const { object, bytes, file, rangeBytes = RANGE_BYTES, connections = CONNECTIONS } = options;
  const ranges = planRanges(bytes, rangeBytes);
  // Imported here: a function whose model is all in its layer does without.
  const { createHash } = await import('node:crypto');
  const hash = new InOrderHash(createHash('sha256'), file, ranges);
  const stop = new AbortController();
  const reader = await S3Reader.open({ object, bytes, connections });
  const remaining = ranges.entries();
  const work = async () => {
    const writer = new BlockWriter(file, (written) => options.onBytes?.(written));
    // One iterator for all: each takes the next range that nobody has.
    for (const [index, range] of remaining) {
      await fetchRange(reader, range, writer, stop.signal, options);
      hash.add(index);
    }
  };
  const workers = Array.from({ length: Math.min(connections, ranges.length) }, work);
  try {
    await Promise.all(workers);
    return await hash.digest();
  } finally {
    stop.abort();
    // None of them may write into a file that the caller closes.
    await Promise.allSettled(workers);
    await hash.settled();
    reader.close();
  }
}

/** Goes on after each failure from the last byte that is in the file. */
async function fetchRange(
  reader: S3Reader,
  range: ByteRange,
  writer: BlockWriter,
  signal: AbortSignal,
  options: DownloadOptions,
): Promise<void> {
  writer.moveTo(range.start);
  for (let failures = 0; writer.position < range.end; ) {
    signal.throwIfAborted();
    const { position } = writer;
    try {
      await attempt(reader, { start: position, end: range.end }, writer, signal, options.stalledMs ?? STALLED.ms);
    } catch (error) {
      if (!(error instanceof TransientError) || signal.aborted) throw error;
      failures = writer.position > position ? 1 : failures + 1;
      if (failures >= MAX_FAILURES) throw unreachable(options.object, error);
      options.onRetry?.(error.message);
      await sleep(backoffMs(failures), undefined, { signal });
    }
  }
}

async function attempt(
  reader: S3Reader,
  range: ByteRange,
  writer: BlockWriter,
  signal: AbortSignal,
  stalledMs: number,
): Promise<void> {
  const connection = new AbortController();
  let received = 0;
  let before = 0;
  const watch = setInterval(() => {
    if (received - before < STALLED.bytes) connection.abort();
    before = received;
  }, stalledMs);
  const abort = () => connection.abort();
  signal.addEventListener('abort', abort);
  try {
    const response = await reader.get(range, connection.signal);
    for await (const chunk of piecesOf(response)) {
      received += chunk.length;
      if (writer.received + chunk.length > range.end) throw new TransientError('S3 sent more than was asked for.');
      await writer.write(chunk);
    }
    await writer.flush();
    if (writer.position < range.end)
      throw new TransientError(`The answer ended ${range.end - writer.position} bytes early.`);
  } catch (error) {
    const stalled = connection.signal.aborted && !signal.aborted;
    // Not after success: the connection serves the next range.
    connection.abort();
    // What came before the failure counts.
    await writer.flush();
    if (!stalled) throw error;
    throw new TransientError(`Fewer than ${STALLED.bytes} bytes came in ${stalledMs} ms.`, { cause: error });
  } finally {
    clearInterval(watch);
    signal.removeEventListener('abort', abort);
  }
}

/** An error of the stream is the connection's; what the loop's body throws passes as it is. */
async function* piecesOf(response: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const pieces = response[Symbol.asyncIterator]();
  try {
    for (;;) {
      let next: IteratorResult<Buffer>;
      try {
        next = await pieces.next();
      } catch (cause) {
        throw new TransientError(cause instanceof Error ? cause.message : String(cause), { cause });
      }
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    await pieces.return?.();
  }
}

function backoffMs(failures: number): number {
  const most = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** (failures - 1));
  return most * (0.5 + Math.random() / 2);
}

function unreachable({ uri, url }: S3Object, cause: Error): ArtifactError {
  return new ArtifactError({
    code: 'WEIGHTS_UNREACHABLE',
    message: `${uri} could not be read from ${url.host} in ${MAX_FAILURES} attempts: ${cause.message}`,
    advice:
      'A function in a VPC needs a gateway endpoint for S3 (or a NAT gateway), and a security group that lets it out on port 443. ' +
      'The next request tries again.',
    cause,
  });
}
