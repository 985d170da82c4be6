/** What a version of the function answered, read from the payload of its invocation. */

export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Between head and body of an answer that a function streams. */
const STREAM_SEPARATOR = Buffer.alloc(8);

/** Undefined where it is no answer to an HTTP request. */
export function readAnswer(payload: Uint8Array): Answer | undefined {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const separator = bytes.indexOf(STREAM_SEPARATOR);
  // JSON has no NUL bytes.
  if (separator < 0) return ofResult(membersOf(bytes));
  const { statusCode, headers } = membersOf(bytes.subarray(0, separator));
  return answerOf(statusCode, headers, bytes.subarray(separator + STREAM_SEPARATOR.length));
}

function ofResult({ statusCode, headers, body, isBase64Encoded }: Record<string, unknown>): Answer | undefined {
  if (body !== undefined && typeof body !== 'string') return undefined;
  return answerOf(statusCode, headers, Buffer.from(body ?? '', isBase64Encoded === true ? 'base64' : 'utf8'));
}

function answerOf(status: unknown, headers: unknown, body: Buffer): Answer | undefined {
  if (!Number.isInteger(status)) return undefined;
  const pairs = Object.entries((headers ?? {}) as Record<string, unknown>);
  return {
    status: Number(status),
    headers: Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), String(value)])),
    body,
  };
}

/** Of a document that should be an object; none where it is not. */
export function membersOf(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
