/**
 * Keeps a share of requests and answers in S3. Lambda freezes an environment with its answer, so that nothing is written behind it: a record is
 * written while the environment's next request is worked on; before the answer where it is told to; and behind an answer that is streamed. Nothing of it fails a request.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CAPTURE_VARIABLE, type CaptureSettings } from '../../../lib/artifact/capture.js';
import type { Manifest } from '../../../lib/artifact/manifest.js';
import { REPLAY_REQUEST_ID } from '../../../lib/artifact/replay.js';
import { ConfigurationError } from '../../../lib/errors.js';
import { bucketUrl } from '../../aws/bucket-url.js';
import { readCredentials } from '../../aws/credentials.js';
import { S3Bucket } from '../../aws/s3-bucket.js';
import { SignedRequests } from '../../aws/signed-requests.js';
import { SigningTime } from '../../aws/signing-time.js';
import type { Log } from '../../log/log.js';
import { writeMetrics } from '../../log/metrics.js';
import { captureRecord, type Exchange, protocolOf } from './capture-record.js';

/** What waits to be written; more is lost, and counted. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
/** Of a write, its attempts together; one that a freeze interrupts ends with it. */
const WRITE_TIMEOUT_MS = 5_000;
/**
 * What an answer waits for a write that began with its request: one that is frozen half-way is likely to be lost. S3 takes some tens of
 * milliseconds, which most inferences take longer than.
 */
const MAX_WAIT_MS = 100;
/** And for one of its own record. */
const MAX_OWN_WAIT_MS = 1_000;

export interface RequestCaptureOptions {
  readonly settings: CaptureSettings;
  readonly bucket: Pick<S3Bucket, 'put'>;
  readonly random?: () => number;
}

export interface EndedRequest extends Omit<Exchange, 'id' | 'time'> {
  readonly id: string | undefined;
  /** Whether the caller has the answer, so that nobody waits: a stream that has ended. */
  readonly isSent: boolean;
}

export class RequestCapture {
  private readonly settings: CaptureSettings;
  private readonly bucket: Pick<S3Bucket, 'put'>;
  private readonly random: () => number;
  private waiting: string[] = [];
  private waitingBytes = 0;
  /** Of records that were given up before they were written. */
  private lost = 0;
  private writing: Promise<void> | undefined;

  constructor({ settings, bucket, random = Math.random }: RequestCaptureOptions) {
    this.settings = settings;
    this.bucket = bucket;
    this.random = random;
  }

  /** A request begins: what was left is written beside it. */
  begin(manifest: Manifest, log: Log): void {
    if (this.waiting.length > 0 || this.lost > 0) this.write(manifest, log);
  }

  /** Its answer is known, or already sent. An environment has one request at a time. */
  async end({ isSent, ...answered }: EndedRequest, manifest: Manifest, log: Log): Promise<void> {
    const { request } = answered;
    // Captured requests that a deployment replays would otherwise never be older than the last one.
    const isReplayed = request.requestId === REPLAY_REQUEST_ID;
    const isKept = this.random() < this.settings.share && !isReplayed && protocolOf(request) !== undefined;
    if (isKept) this.keep({ ...answered, id: answered.id ?? randomUUID(), time: new Date() }, manifest);
    const isDue = isKept && (this.settings.wait || isSent);
    if (isDue) this.write(manifest, log);
    if (this.writing === undefined) return;
    const over = new AbortController();
    const limit = isDue ? MAX_OWN_WAIT_MS : MAX_WAIT_MS;
    await Promise.race([this.writing, sleep(limit, undefined, { signal: over.signal }).catch(() => undefined)]);
    over.abort();
  }

  private keep(exchange: Exchange, manifest: Manifest): void {
    try {
      const line = JSON.stringify(captureRecord(exchange, manifest, this.settings));
      const bytes = Buffer.byteLength(line);
      if (this.waitingBytes + bytes > MAX_WAITING_BYTES) {
        this.lost += 1;
        return;
      }
      this.waiting.push(line);
      this.waitingBytes += bytes;
    } catch {
      this.lost += 1;
    }
  }

  /** One object for all that waits; while another is written, it waits on. */
  private write(manifest: Manifest, log: Log): void {
    if (this.writing !== undefined) return;
    const records = this.waiting;
    const lost = this.lost;
    this.waiting = [];
    this.waitingBytes = 0;
    this.lost = 0;
    this.writing = this.put(records, manifest)
      .catch((error: unknown) => (error instanceof Error ? error.name : 'unknown'))
      .then((failure) => {
        this.writing = undefined;
        const failed = lost + (failure === undefined ? 0 : records.length);
        const written = failure === undefined ? records.length : 0;
        const values = {
          ...(written > 0 ? { CapturedRequests: written } : {}),
          ...(failed > 0 ? { CaptureFailures: failed } : {}),
        };
        writeMetrics({ message: 'requests captured', model: manifest.name, values, details: { failure } }, log);
      });
  }

  /** Why it failed; undefined where it did not. */
  private async put(records: readonly string[], manifest: Manifest): Promise<string | undefined> {
    if (records.length === 0) return undefined;
    const outcome = await this.bucket.put(
      objectKey(this.settings.prefix, manifest.name, new Date()),
      `${records.join('\n')}\n`,
      {
        contentType: 'application/jsonl',
        signal: AbortSignal.timeout(WRITE_TIMEOUT_MS),
      },
    );
    if (outcome.kind === 'stored') return undefined;
    return outcome.kind === 'failed' ? outcome.code : outcome.kind;
  }
}

function objectKey(prefix: string, model: string, time: Date): string {
  const [year, month, day, hour] = time.toISOString().split(/[-T:]/);
  return `${prefix}${model}/${year}/${month}/${day}/${hour}/${randomUUID()}.jsonl`;
}

/**
 * @throws ConfigurationError `CAPTURE_INVALID`, `CREDENTIALS_MISSING`: a tensor that the model does not have among what is redacted, for one,
 *   because then another one is kept that should not be
 */
export function createRequestCapture(environment: NodeJS.ProcessEnv, { signature }: Manifest): RequestCapture {
  const settings = parseSettings(environment[CAPTURE_VARIABLE] ?? '');
  const unknown = (['inputs', 'outputs'] as const).flatMap((side) => {
    const names = signature[side].map(({ name }) => name);
    return Object.keys(settings[side]).filter((name) => !names.includes(name));
  });
  if (unknown.length > 0) throw invalid(`redacts ${unknown.join(', ')}, which the model does not have`);
  const region = environment.AWS_REGION ?? '';
  const url = bucketUrl(settings.bucket, region, environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL);
  if (url === undefined || region === '') throw invalid('has no address of S3, or AWS_REGION is not set');
  const requests = new SignedRequests({
    endpoint: { url, region },
    service: 's3',
    credentials: readCredentials(environment, 'requests cannot be captured'),
    time: new SigningTime(),
  });
  return new RequestCapture({ settings, bucket: new S3Bucket({ requests, name: settings.bucket }) });
}

function parseSettings(text: string): CaptureSettings {
  try {
    // A construct wrote it.
    return JSON.parse(text);
  } catch (cause) {
    throw invalid('is no JSON', cause);
  }
}

function invalid(fault: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError({
    code: 'CAPTURE_INVALID',
    message: `${CAPTURE_VARIABLE} ${fault}.`,
    advice: 'Nothing is captured. Set it with the option capture of InferenceFunction, with names of the model.',
    cause,
  });
}
