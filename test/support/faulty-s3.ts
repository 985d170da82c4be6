/** An S3 on loopback that holds one object, as slow and as faulty as a test asks for. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3Object } from '../../functions/predict/weights/s3-object.js';
import { parseRange } from '../../lib/local/http-range.js';

export interface SeenRequest {
  /** Counted from 1. */
  readonly number: number;
  readonly start: number;
  readonly end: number;
  readonly request: IncomingMessage;
}

/** What becomes of a request; undefined answers it well. */
export type Fault =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly code: string;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The connection is cut after so many bytes of content; -1 before any answer. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** Nothing comes after so many bytes of content; -1 not even an answer. */
  | { readonly kind: 'stall'; readonly afterBytes: number }
  /** A whole answer with fewer bytes than asked for, correctly announced. */
  | { readonly kind: 'short'; readonly bytes: number };

export interface FaultyS3Options {
  readonly content: Buffer;
  readonly fault?: (seen: SeenRequest) => Fault | undefined;
  /** Of each connection. Default: as fast as it goes. */
  readonly bytesPerSecond?: number;
}

export interface FaultyS3 {
  readonly url: string;
  /** Read by path, with made-up credentials. */
  readonly object: S3Object;
  readonly seen: readonly SeenRequest[];
  /** How many connections were opened. */
  connections(): number;
  close(): void;
}

const PIECE_BYTES = 64 * 1024;

export async function startFaultyS3(options: FaultyS3Options): Promise<FaultyS3> {
  const seen: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const { length } = options.content;
    const range = parseRange(request.headers.range, length);
    if (range === 'unsatisfiable') {
      return answerError(response, 416, 'InvalidRange', { headers: { 'content-range': `bytes */${length}` } });
    }
    const { start, end } = range ?? { start: 0, end: length };
    const here = { number: seen.length + 1, start, end, request };
    seen.push(here);
    answer(response, here, options).catch(() => response.destroy());
  });
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    object: {
      uri: 's3://bucket/weights',
      url: new URL(`${url}/bucket/weights`),
      region: 'eu-west-1',
      credentials: { accessKeyId: 'AKIATEST', secretAccessKey: 'secret', sessionToken: 'token' },
    },
    seen,
    connections: () => sockets.size,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(response: ServerResponse, seen: SeenRequest, options: FaultyS3Options): Promise<void> {
  const { content, fault, bytesPerSecond } = options;
  const what = fault?.(seen);
  const { start, end } = seen;
  if (what?.kind === 'answer') return answerError(response, what.status, what.code, what);
  if (what !== undefined && what.kind !== 'short' && what.afterBytes < 0) return interrupt(response, what.kind);
  const last = what?.kind === 'short' ? start + what.bytes : end;
  response.writeHead(206, {
    'content-length': last - start,
    'content-range': `bytes ${start}-${end - 1}/${content.length}`,
  });
  const stop = what?.kind === 'reset' || what?.kind === 'stall' ? start + what.afterBytes : last;
  const began = performance.now();
  for (let position = start; position < stop; position += PIECE_BYTES) {
    const piece = content.subarray(position, Math.min(stop, position + PIECE_BYTES));
    if (bytesPerSecond !== undefined) {
      const due = began + ((position + piece.length - start) / bytesPerSecond) * 1000;
      const early = due - performance.now();
      if (early > 1) await sleep(early);
    }
    if (!response.write(piece)) await drained(response);
    if (response.destroyed) return;
  }
  if (what?.kind === 'reset' || what?.kind === 'stall') interrupt(response, what.kind);
  else response.end();
}

async function drained(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

function interrupt(response: ServerResponse, kind: 'reset' | 'stall'): void {
  if (kind === 'reset') response.socket?.resetAndDestroy();
}

function answerError(
  response: ServerResponse,
  status: number,
  code: string,
  { body = '', headers = {} }: { readonly body?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): void {
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>made up</Message>${body}</Error>`;
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': text.length, ...headers });
  response.end(text);
}
