/**
 * Small objects of one bucket, with the conditions under which they are written. What may be over in a moment is tried again, as S3 asks for.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance-guidelines.html
 */
import type { OutgoingRequest, Reply, SignedRequests } from './signed-requests.js';

export interface S3BucketOptions {
  /** To the bucket's own address. */
  readonly requests: SignedRequests;
  readonly name: string;
}

/** Could not be done, or nobody knows whether it was. */
export interface S3Failure {
  readonly kind: 'failed';
  /** S3's, Node.js's, or `HTTP_<status>`. */
  readonly code: string;
}

export interface PutOptions {
  readonly contentType: string;
  /** Only where there is no such object (`absent`), or where it is still the one with this entity tag. Default: in any case. */
  readonly only?: 'absent' | { readonly etag: string };
  readonly signal: AbortSignal;
}

export type PutOutcome =
  | { readonly kind: 'stored'; readonly etag: string; readonly expires: Date | undefined }
  /** The condition does not hold; after an attempt whose answer was lost it may have been met by that one. */
  | { readonly kind: 'precondition-failed' }
  | S3Failure;

export interface ObjectFacts {
  readonly etag: string;
  readonly bytes: number;
  readonly contentType: string;
  /** By S3's clock, since it was written. */
  readonly ageSeconds: number;
  /** By the bucket's lifecycle; undefined where none of its rules is for the object. */
  readonly expires: Date | undefined;
  /** By S3's clock; S3 deletes later. */
  readonly isExpired: boolean;
}

export type HeadOutcome =
  | { readonly kind: 'object'; readonly facts: ObjectFacts }
  | { readonly kind: 'missing' }
  | S3Failure;
export type GetOutcome =
  | { readonly kind: 'object'; readonly facts: ObjectFacts; readonly body: Buffer }
  | { readonly kind: 'missing' }
  | S3Failure;

const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 50;

export class S3Bucket {
  readonly name: string;
  private readonly requests: SignedRequests;

  constructor({ requests, name }: S3BucketOptions) {
    this.requests = requests;
    this.name = name;
  }

  /** `s3://bucket/key` */
  uri(key: string): string {
    return `s3://${this.name}/${key}`;
  }

  /** Of an object of this bucket; undefined for another URI. */
  keyOf(uri: string): string | undefined {
    const prefix = this.uri('');
    return uri.startsWith(prefix) && uri.length > prefix.length ? uri.slice(prefix.length) : undefined;
  }

  async put(key: string, body: string | Uint8Array, { contentType, only, signal }: PutOptions): Promise<PutOutcome> {
    const reply = await this.send({
      method: 'PUT',
      path: pathOf(key),
      headers: { 'content-type': contentType, ...condition(only) },
      body,
      signal,
    });
    if (reply.kind === 'failed') return reply;
    if (reply.status === 412) return { kind: 'precondition-failed' };
    // Under If-Match an object that is gone is a 404.
    if (reply.status === 404 && typeof only === 'object') return { kind: 'precondition-failed' };
    if (reply.status !== 200) return failure(reply);
    return { kind: 'stored', etag: reply.headers.etag ?? '', expires: expiryOf(reply.headers) };
  }

  async head(key: string, signal: AbortSignal): Promise<HeadOutcome> {
    const reply = await this.send({ method: 'HEAD', path: pathOf(key), headers: {}, signal });
    if (reply.kind === 'failed') return reply;
    // Who may not list the bucket is told nothing of what is missing in it.
    if (reply.status === 404 || reply.status === 403) return { kind: 'missing' };
    return reply.status === 200 ? { kind: 'object', facts: factsOf(reply) } : failure(reply);
  }

  async get(key: string, signal: AbortSignal): Promise<GetOutcome> {
    const reply = await this.send({ method: 'GET', path: pathOf(key), headers: {}, signal });
    if (reply.kind === 'failed') return reply;
    if (reply.status === 404 || (reply.status === 403 && codeOf(reply) === 'AccessDenied')) return { kind: 'missing' };
    if (reply.status !== 200) return failure(reply);
    return { kind: 'object', facts: factsOf(reply), body: reply.body };
  }

  /** An address under which anyone can read the object for a while. */
  presignGet(key: string, expiresInSeconds: number): Promise<string> {
    return this.requests.presign({ method: 'GET', path: pathOf(key), expiresInSeconds });
  }

  /** An address under which anyone can write the object for a while, with exactly these headers. */
  presignPut(key: string, headers: Readonly<Record<string, string>>, expiresInSeconds: number): Promise<string> {
    return this.requests.presign({ method: 'PUT', path: pathOf(key), headers, expiresInSeconds });
  }

  private async send(request: OutgoingRequest): Promise<Replied | S3Failure> {
    for (let attempt = 1; ; attempt++) {
      const reply = await this.requests.send(request);
      const isLast = attempt === ATTEMPTS || request.signal.aborted;
      if (isLast || !isTransient(reply)) {
        return reply.kind === 'broken' ? { kind: 'failed', code: reply.code } : reply;
      }
      const pause = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random());
      await paused(pause, request.signal);
    }
  }
}

/** For so long, or until nobody waits any more. node:timers/promises would take milliseconds of each cold start. */
function paused(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
  });
}

type Replied = Extract<Reply, { kind: 'reply' }>;

function condition(only: PutOptions['only']): Readonly<Record<string, string>> {
  if (only === undefined) return {};
  return only === 'absent' ? { 'if-none-match': '*' } : { 'if-match': only.etag };
}

/** Keys here need no encoding but in their segments. */
function pathOf(key: string): string {
  return `/${key.split('/').map(encodeURIComponent).join('/')}`;
}

/** Codes that pass although their status is 4xx; the time is learned from the answer that says the first. */
const TRANSIENT_CODES = ['RequestTimeTooSkewed', 'RequestTimeout', 'SlowDown'];

function isTransient(reply: Reply): boolean {
  if (reply.kind === 'broken') return reply.code !== 'ABORT_ERR';
  // 409: another conditional write of the same object is under way.
  return reply.status >= 500 || [408, 409, 429].includes(reply.status) || TRANSIENT_CODES.includes(codeOf(reply) ?? '');
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
function codeOf({ status, body }: Replied): string | undefined {
  return status < 300 ? undefined : /<Code>(\w{1,80})<\/Code>/.exec(body.toString('utf8', 0, 4_096))?.[1];
}

function failure(reply: Replied): S3Failure {
  return { kind: 'failed', code: codeOf(reply) ?? `HTTP_${reply.status}` };
}

function factsOf({ headers, body }: Replied): ObjectFacts {
  const now = Date.parse(headers.date ?? '') || Date.now();
  const expires = expiryOf(headers);
  return {
    etag: headers.etag ?? '',
    bytes: Number(headers['content-length'] ?? body.length),
    contentType: headers['content-type'] ?? '',
    ageSeconds: Math.max(0, (now - (Date.parse(headers['last-modified'] ?? '') || now)) / 1000),
    expires,
    isExpired: expires !== undefined && expires.getTime() <= now,
  };
}

/** `expiry-date="Fri, 21 Dec 2012 00:00:00 GMT", rule-id="…"` */
function expiryOf(headers: Replied['headers']): Date | undefined {
  const time = Date.parse(/expiry-date="([^"]+)"/.exec(headers['x-amz-expiration'] ?? '')?.[1] ?? '');
  return Number.isNaN(time) ? undefined : new Date(time);
}
