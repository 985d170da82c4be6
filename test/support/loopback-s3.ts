/**
 * One bucket of S3 on loopback, in memory: conditional writes, presigned addresses, a lifecycle, and what a role without s3:ListBucket is told.
 * Signatures are checked as S3 does, by code that has nothing of the signer's.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  type FaultyService,
  type FaultyServiceOptions,
  type ServiceAnswer,
  startFaultyService,
} from './faulty-service.js';
import { LOOPBACK_CREDENTIALS, LOOPBACK_REGION } from './loopback-lambda.js';

export interface StoredObject {
  readonly body: Buffer;
  readonly contentType: string;
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

export interface LoopbackS3Options {
  readonly bucket: string;
  /** What callers with the credentials of the router may do: beginnings of keys. */
  readonly allows: { readonly put: readonly string[]; readonly get: readonly string[] };
  readonly fault?: FaultyServiceOptions['fault'];
}

const DAY_MS = 86_400_000;
const MAX_SKEW_MS = 900_000;

export class LoopbackS3 {
  readonly objects = new Map<string, StoredObject>();
  /** How far its clock is ahead of this machine's, in ms. */
  clockOffset = 0;
  /** Of the bucket's lifecycle; undefined: none. */
  expiryDays: number | undefined = 1;
  private writes = 0;
  private started: FaultyService | undefined;

  private constructor(private readonly options: LoopbackS3Options) {}

  static async start(options: LoopbackS3Options): Promise<LoopbackS3> {
    const s3 = new LoopbackS3(options);
    s3.started = await startFaultyService({ answer: (request) => s3.answer(request), fault: options.fault });
    return s3;
  }

  get service(): FaultyService {
    if (this.started === undefined) throw new Error('S3 has not started');
    return this.started;
  }

  get now(): number {
    return Date.now() + this.clockOffset;
  }

  /** As someone who may do everything. */
  put(key: string, body: Buffer, contentType: string): StoredObject {
    this.writes += 1;
    const etag = `"${createHash('md5').update(body).digest('hex')}-${this.writes}"`;
    const object = { body, contentType, etag, modified: Math.floor(this.now / 1000) * 1000 };
    this.objects.set(key, object);
    return object;
  }

  /** Keys that begin so. */
  keys(prefix: string): readonly string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix));
  }

  private async answer(request: IncomingMessage): Promise<ServiceAnswer> {
    const body = Buffer.concat(await request.toArray());
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    const refusal = this.refusalOf(request, url, body);
    if (refusal !== undefined) return refusal;
    const key = decodeURIComponent(url.pathname.slice(`/${this.options.bucket}/`.length));
    const { method } = request;
    const action = method === 'PUT' ? 'put' : 'get';
    if (!this.options.allows[action].some((prefix) => key.startsWith(prefix))) return this.error(403, 'AccessDenied');
    if (action === 'put') return this.answerPut(key, request, body);
    const object = this.objects.get(key);
    // Who may not list is not told that nothing is there.
    if (object === undefined) return this.error(403, 'AccessDenied');
    const headers = {
      'content-type': object.contentType,
      etag: object.etag,
      'last-modified': new Date(object.modified).toUTCString(),
      ...this.commonHeaders(object.modified),
    };
    // Node.js leaves the body of an answer to HEAD out.
    return { status: 200, headers, body: object.body };
  }

  private answerPut(key: string, { headers }: IncomingMessage, body: Buffer): ServiceAnswer {
    const present = this.objects.get(key);
    if (headers['if-none-match'] === '*' && present !== undefined) return this.error(412, 'PreconditionFailed');
    const expected = headers['if-match'];
    if (expected !== undefined && present === undefined) return this.error(404, 'NoSuchKey');
    if (expected !== undefined && present?.etag !== expected) return this.error(412, 'PreconditionFailed');
    const { etag, modified } = this.put(key, body, String(headers['content-type'] ?? 'binary/octet-stream'));
    return { status: 200, headers: { etag, ...this.commonHeaders(modified) }, body: Buffer.alloc(0) };
  }

  private commonHeaders(modified: number): Readonly<Record<string, string>> {
    const date = new Date(this.now).toUTCString();
    if (this.expiryDays === undefined) return { date };
    // At the midnight that follows.
    const expires = new Date((Math.floor(modified / DAY_MS) + this.expiryDays + 1) * DAY_MS);
    return { date, 'x-amz-expiration': `expiry-date="${expires.toUTCString()}", rule-id="expire"` };
  }

  private error(status: number, code: string): ServiceAnswer {
    const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>made up</Message></Error>`;
    return {
      status,
      headers: { 'content-type': 'application/xml', date: new Date(this.now).toUTCString() },
      body: Buffer.from(body),
    };
  }

  private refusalOf(request: IncomingMessage, url: URL, body: Buffer): ServiceAnswer | undefined {
    if (!url.pathname.startsWith(`/${this.options.bucket}/`)) return this.error(404, 'NoSuchBucket');
    const signature = readSignature(request, url);
    if (signature === undefined) return this.error(403, 'AccessDenied');
    const { date, payload, expiresInSeconds } = signature;
    const age = this.now - timeOf(date);
    if (expiresInSeconds === undefined && Math.abs(age) > MAX_SKEW_MS) return this.error(403, 'RequestTimeTooSkewed');
    if (expiresInSeconds !== undefined && age > expiresInSeconds * 1000) return this.error(403, 'AccessDenied');
    if (signature.given !== expectedSignature(request, url, signature)) return this.error(403, 'SignatureDoesNotMatch');
    const digest = createHash('sha256').update(body).digest('hex');
    if (payload !== 'UNSIGNED-PAYLOAD' && payload !== digest) return this.error(400, 'XAmzContentSHA256Mismatch');
    return undefined;
  }
}

interface Signature {
  readonly given: string;
  /** `20261201T104500Z` */
  readonly date: string;
  readonly signedHeaders: string;
  readonly payload: string;
  /** Of a presigned address. */
  readonly expiresInSeconds: number | undefined;
}

function readSignature({ headers }: IncomingMessage, url: URL): Signature | undefined {
  const scope = `${LOOPBACK_CREDENTIALS.AWS_ACCESS_KEY_ID}/`;
  const query = (name: string) => url.searchParams.get(`X-Amz-${name}`) ?? '';
  if (query('Signature') !== '') {
    const isOurs = query('Credential').startsWith(scope);
    if (!isOurs || query('Security-Token') !== LOOPBACK_CREDENTIALS.AWS_SESSION_TOKEN) return undefined;
    return {
      given: query('Signature'),
      date: query('Date'),
      signedHeaders: query('SignedHeaders'),
      payload: 'UNSIGNED-PAYLOAD',
      expiresInSeconds: Number(query('Expires')),
    };
  }
  const parts = /Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)/.exec(headers.authorization ?? '');
  const [, credential = '', signedHeaders = '', given = ''] = parts ?? [];
  const isOurs = credential.startsWith(scope);
  if (!isOurs || headers['x-amz-security-token'] !== LOOPBACK_CREDENTIALS.AWS_SESSION_TOKEN) return undefined;
  const [date, payload] = [String(headers['x-amz-date']), String(headers['x-amz-content-sha256'])];
  return { given, date, signedHeaders, payload, expiresInSeconds: undefined };
}

/** A header that is signed and does not come changes the signature, as at S3. */
function expectedSignature({ method, headers }: IncomingMessage, url: URL, signature: Signature): string {
  const { date, signedHeaders, payload } = signature;
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [...url.searchParams]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  const lines = signedHeaders.split(';').map((name) => `${name}:${String(headers[name] ?? '').trim()}\n`);
  const canonical = [method, url.pathname, query, lines.join(''), signedHeaders, payload].join('\n');
  const scope = [date.slice(0, 8), LOOPBACK_REGION, 's3', 'aws4_request'];
  const hash = createHash('sha256').update(canonical).digest('hex');
  const text = ['AWS4-HMAC-SHA256', date, scope.join('/'), hash].join('\n');
  const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();
  const key = scope.reduce<string | Buffer>(hmac, `AWS4${LOOPBACK_CREDENTIALS.AWS_SECRET_ACCESS_KEY}`);
  return hmac(key, text).toString('hex');
}

function timeOf(date: string): number {
  return Date.parse(date.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'));
}
