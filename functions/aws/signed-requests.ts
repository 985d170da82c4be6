/**
 * Signed requests to one service of AWS, each sent once, unless it was refused for the time of its signature. The SDK's clients take longer
 * to import than the rest of the router together.
 */
import { createHash } from 'node:crypto';
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { AwsV4Signer } from 'aws4fetch';
import type { Credentials } from './credentials.js';
import type { Endpoint } from './endpoint.js';
import type { SigningTime } from './signing-time.js';

export interface SignedRequestsOptions {
  readonly endpoint: Endpoint;
  /** In signatures: `lambda`. */
  readonly service: string;
  readonly credentials: Credentials;
  readonly time: SigningTime;
}

export interface OutgoingRequest {
  /** Default POST. */
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT';
  /** Percent-encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Default: none. */
  readonly body?: string | Uint8Array;
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export interface PresignedRequest {
  readonly method: 'GET' | 'PUT';
  /** Percent-encoded, without a query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly expiresInSeconds: number;
}

/** `connecting`: no connection. `unacknowledged`: nothing came back. `answering`: the answer broke off. */
export type BreakPhase = 'connecting' | 'unacknowledged' | 'answering';

export type Reply =
  | {
      readonly kind: 'reply';
      readonly status: number;
      readonly headers: Readonly<Record<string, string | undefined>>;
      readonly body: Buffer;
      /** Whether the answer said how long it is; where it did not, nobody can tell its end from a break. */
      readonly isFramed: boolean;
    }
  /** `code`: Node.js's, or one of ours. */
  | { readonly kind: 'broken'; readonly phase: BreakPhase; readonly code: string };

/** A service that does not even take the connection is not waited for. */
const CONNECT_TIMEOUT_MS = 3_000;
/**
 * Connections that were idle for longer are not used again: servers close them after five seconds and more, and while Lambda freezes the
 * router nothing here learns of it.
 */
const MAX_IDLE_MS = 4_000;
/** More than any service answers with. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

export class SignedRequests {
  private readonly isSecure: boolean;
  private readonly agent: HttpAgent;
  private readonly signingKeys = new Map<string, ArrayBuffer>();
  /** By the wall clock, which goes on while Lambda freezes the router. */
  private lastUsed = 0;

  constructor(private readonly options: SignedRequestsOptions) {
    this.isSecure = options.endpoint.url.startsWith('https:');
    this.agent = new (this.isSecure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxFreeSockets: 2 });
  }

  /** Never rejects for what the network or the service does. */
  async send(request: OutgoingRequest): Promise<Reply> {
    const { reply, isOfAnotherTime } = await this.sendOnce(request);
    // Refused for the time of its signature, which is now known; nothing was done.
    if (!isOfAnotherTime || reply.kind !== 'reply' || reply.status !== 403) return reply;
    return (await this.sendOnce(request)).reply;
  }

  private async sendOnce(request: OutgoingRequest): Promise<{ reply: Reply; isOfAnotherTime: boolean }> {
    const { method = 'POST', signal } = request;
    const { url, headers } = await this.sign(request);
    this.closeIdleConnections();
    let isOfAnotherTime = false;
    const reply = await new Promise<Reply>((resolve) => {
      const options = { method, headers, agent: this.agent, signal };
      const sent = this.isSecure ? httpsRequest(url, options) : httpRequest(url, options);
      let phase: BreakPhase = 'connecting';
      watchConnection(sent, this.isSecure, () => {
        phase = 'unacknowledged';
      });
      const onError = (error: NodeJS.ErrnoException) =>
        resolve({ kind: 'broken', phase, code: error.code ?? error.name });
      sent.on('error', onError);
      sent.on('response', (response) => {
        phase = 'answering';
        isOfAnotherTime = this.options.time.learn(response.headers.date);
        readAnswer(response).then((reply) => {
          this.lastUsed = Date.now();
          resolve(reply);
        }, onError);
      });
      sent.end(request.body);
    });
    return { reply, isOfAnotherTime };
  }

  private closeIdleConnections(): void {
    const idle = Date.now() - this.lastUsed;
    if (idle >= 0 && idle < MAX_IDLE_MS) return;
    for (const sockets of Object.values(this.agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  /**
   * An address that whoever has it can use in this one way, without credentials of his own, until it expires.
   *
   * @param headers that the request has to have as they are here
   */
  async presign({ method, path, headers = {}, expiresInSeconds }: PresignedRequest): Promise<string> {
    const { endpoint } = this.options;
    const url = `${endpoint.url}${path}?X-Amz-Expires=${expiresInSeconds}`;
    const signed = await this.signer({ method, url, headers, signQuery: true, allHeaders: true }).sign();
    return signed.url.href;
  }

  private async sign({
    method = 'POST',
    path,
    headers,
    body = '',
  }: OutgoingRequest): Promise<{ url: URL; headers: Record<string, string> }> {
    const signed = await this.signer({
      method,
      url: `${this.options.endpoint.url}${path}`,
      headers: { ...headers, 'x-amz-content-sha256': createHash('sha256').update(body).digest('hex') },
    }).sign();
    return { url: signed.url, headers: Object.fromEntries(signed.headers) };
  }

  private signer(request: Omit<ConstructorParameters<typeof AwsV4Signer>[0], 'accessKeyId' | 'secretAccessKey'>) {
    const { endpoint, service, credentials, time } = this.options;
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    return new AwsV4Signer({
      ...request,
      service,
      region: endpoint.region,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      datetime: time.now(),
      cache: this.signingKeys,
    });
  }
}

function watchConnection(sent: ClientRequest, isSecure: boolean, onConnected: () => void): void {
  sent.once('socket', (socket) => {
    if (!socket.connecting) return onConnected();
    const late = Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' });
    const timer = setTimeout(() => sent.destroy(late), CONNECT_TIMEOUT_MS);
    sent.once('close', () => clearTimeout(timer));
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      onConnected();
    });
  });
}

async function readAnswer(response: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) return { kind: 'broken', phase: 'answering', code: 'ANSWER_TOO_LARGE' };
    chunks.push(chunk);
  }
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
  const isFramed = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  return { kind: 'reply', status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks, bytes), isFramed };
}
