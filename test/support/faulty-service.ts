/** A service on loopback that answers well, or fails in the way that a test asks for. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ServiceAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer;
}

export type ServiceFault =
  /** In place of the service's own answer. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: ServiceAnswer['headers'];
      readonly body?: string;
    }
  /** The connection is cut: before anything is done, when all is done, or in the middle of the answer. */
  | { readonly kind: 'reset'; readonly when: FaultTime }
  /** The connection stays, and nothing more comes. */
  | { readonly kind: 'stall'; readonly when: FaultTime }
  /** Half of the body and a regular end, with nothing that says how long it should have been. */
  | { readonly kind: 'cut-short' }
  /** The work begins so much later. */
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** The body comes in pieces, with a pause between them. */
  | { readonly kind: 'trickle'; readonly pieces: number; readonly pause: number };

export type FaultTime = 'before-work' | 'before-answer' | 'within-answer';

export interface SeenCall {
  /** Counted from 1. */
  readonly number: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface FaultyServiceOptions {
  readonly answer: (request: IncomingMessage) => Promise<ServiceAnswer>;
  /** Undefined: none. */
  readonly fault?: ((call: SeenCall) => ServiceFault | undefined | Promise<ServiceFault | undefined>) | undefined;
}

export interface FaultyService {
  readonly url: string;
  readonly calls: readonly SeenCall[];
  /** Of calls that did their work. */
  worked(): number;
  connections(): number;
  close(): Promise<void>;
}

export async function startFaultyService({ answer, fault }: FaultyServiceOptions): Promise<FaultyService> {
  const calls: SeenCall[] = [];
  let worked = 0;
  let connections = 0;
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const call = { number: calls.length + 1, request, response };
    calls.push(call);
    const what = await fault?.(call);
    if (what?.kind === 'answer') {
      const { status, headers = {}, body = '' } = what;
      request.resume();
      return write(response, { status, headers, body: Buffer.from(body) });
    }
    if (what?.kind === 'delay') await sleep(what.milliseconds);
    if (breaks(what, 'before-work', response)) return;
    const answered = await answer(request);
    worked += 1;
    if (breaks(what, 'before-answer', response)) return;
    await writeWithFault(response, answered, what);
  };
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    worked: () => worked,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function breaks(fault: ServiceFault | undefined, when: FaultTime, response: ServerResponse): boolean {
  if ((fault?.kind !== 'reset' && fault?.kind !== 'stall') || fault.when !== when) return false;
  if (fault.kind === 'reset') response.socket?.resetAndDestroy();
  return true;
}

function write(response: ServerResponse, { status, headers, body }: ServiceAnswer): void {
  response.writeHead(status, { ...(headers as Record<string, string | string[]>), 'content-length': body.length });
  response.end(body);
}

async function writeWithFault(
  response: ServerResponse,
  answer: ServiceAnswer,
  fault: ServiceFault | undefined,
): Promise<void> {
  const { status, headers, body } = answer;
  const half = body.subarray(0, Math.ceil(body.length / 2));
  switch (fault?.kind) {
    case 'reset':
    case 'stall':
      response.writeHead(status, { ...(headers as Record<string, string>), 'content-length': body.length });
      await new Promise((resolve) => response.write(half, resolve));
      breaks(fault, 'within-answer', response);
      return;
    case 'cut-short': {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      response.socket?.end(
        Buffer.concat([Buffer.from(`HTTP/1.1 ${status} OK\r\n${lines.join('')}Connection: close\r\n\r\n`), half]),
      );
      return;
    }
    case 'trickle': {
      response.writeHead(status, { ...(headers as Record<string, string>), 'content-length': body.length });
      const size = Math.ceil(body.length / fault.pieces);
      for (let offset = 0; offset < body.length; offset += size) {
        response.write(body.subarray(offset, offset + size));
        await sleep(fault.pause);
        if (response.destroyed) return;
      }
      response.end();
      return;
    }
    default:
      write(response, answer);
  }
}
