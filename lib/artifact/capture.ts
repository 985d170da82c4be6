/** Requests and answers that a function keeps in S3: what it is told to keep, and what it writes. */

/** Tells a function what to keep, as JSON: `CaptureSettings`. */
export const CAPTURE_VARIABLE = 'CDK_ONNX_CAPTURE';

/** `drop` leaves a tensor out, `replace` keeps its name, type and shape with zeros and empty texts. */
export type Redaction = 'drop' | 'replace';

/** By the name of an input or an output. */
export type Redactions = Readonly<Record<string, Redaction>>;

export interface CaptureSettings {
  readonly bucket: string;
  /** In front of the model's name; empty, or with a slash at its end. */
  readonly prefix: string;
  /** Which share of requests, above 0 and up to 1. */
  readonly share: number;
  /** What a body may take in a record; a larger one is left out. */
  readonly maxBodyBytes: number;
  /** Of requests and answers, in lower case, beside those that say how a body is to be read. */
  readonly headers: readonly string[];
  readonly inputs: Redactions;
  readonly outputs: Redactions;
  /** Whether a request waits until its record is written. */
  readonly wait: boolean;
}

/** How a body is to be read: kept of every request. */
export const CONTENT_HEADERS: readonly string[] = ['accept', 'content-type', 'inference-header-content-length'];

/** Whoever has these can act for the caller: never kept, whatever is asked for. */
const SECRET_HEADERS =
  /^(authorization|proxy-authorization|cookie|set-cookie|x-amz-security-token|x-amz-date|x-amz-content-sha256)$|api-?key|token|secret|password|session|signature/;

/** @param name in lower case */
export function isSecretHeader(name: string): boolean {
  return SECRET_HEADERS.test(name);
}

export const CAPTURE_SCHEMA_VERSION = 1;

/** A body as it was, or what redaction left of it. */
export interface CapturedBody {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Text, or base64 of bytes. */
  readonly body: string;
  readonly isBase64: boolean;
  /** Whether something of the body is not there, or not what it was: no longer to be replayed. */
  readonly redacted: boolean;
}

/** A line of an object `<prefix><model>/<YYYY>/<MM>/<DD>/<HH>/<id>.jsonl`, by UTC: an inference and its answer. */
export interface CapturedInference {
  readonly schemaVersion: typeof CAPTURE_SCHEMA_VERSION;
  /** Of the invocation. */
  readonly id: string;
  /** ISO 8601. */
  readonly time: string;
  readonly model: string;
  readonly modelVersion: number;
  /** Of the artifact that answered. */
  readonly contentHash: string;
  readonly request: CapturedBody & { readonly method: string; readonly path: string };
  readonly response: CapturedBody & { readonly status: number };
}
