/** What a REST API makes of a function's result, buffered or streamed. */
import type { Readable } from 'node:stream';
import { record } from './cloud-assembly.js';
import { CONNECTION_HEADERS, type HttpAnswer } from './http-answer.js';
import { isBinary } from './rest-event.js';

interface Head {
  readonly status: number;
  readonly headers: Record<string, string | string[]>;
}

export interface StreamHead extends Head {
  /** What of the body had come with the head. */
  readonly rest: Buffer;
}

const PRELUDE_END = Buffer.alloc(8);
/** https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html: the delimiter is within the first 16 KB. */
const MAX_PRELUDE_BYTES = 16 * 1024;

/**
 * A buffered result; undefined for one that API Gateway answers with a 502.
 *
 * @param accept the request's header: base64 is decoded only where it names a type that the API takes for binary
 */
export function toRestAnswer(
  result: unknown,
  accept: string | undefined,
  binaryMediaTypes: readonly string[],
): HttpAnswer | undefined {
  const response = record(result);
  const head = readHead(response);
  const { body = '' } = response;
  if (head === undefined || (body !== null && typeof body !== 'string')) return undefined;
  const decoded = response.isBase64Encoded === true && isBinary(accept ?? '*/*', binaryMediaTypes);
  return {
    status: head.status,
    headers: { 'content-type': 'application/json', ...head.headers },
    body: Buffer.from(body ?? '', decoded ? 'base64' : 'utf8'),
  };
}

/** Reads a stream up to its body; undefined when it does not begin as API Gateway asks. What follows is left in the stream. */
export async function readStreamHead(stream: Readable): Promise<StreamHead | undefined> {
  let read = Buffer.alloc(0);
  for (;;) {
    const chunk = await nextChunk(stream);
    if (chunk === undefined) return undefined;
    read = Buffer.concat([read, chunk]);
    const end = read.indexOf(PRELUDE_END);
    if (end >= 0 && end <= MAX_PRELUDE_BYTES) {
      const head = readHead(parse(read.subarray(0, end)));
      return head && { ...head, rest: read.subarray(end + PRELUDE_END.length) };
    }
    if (read.length > MAX_PRELUDE_BYTES) return undefined;
  }
}

function readHead(response: Readonly<Record<string, unknown>>): Head | undefined {
  const status = Number(response.statusCode);
  if (!Number.isInteger(status) || status < 100 || status > 599) return undefined;
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(record(response.headers))) {
    if (!['string', 'number', 'boolean'].includes(typeof value)) return undefined;
    if (!CONNECTION_HEADERS.has(name.toLowerCase())) headers[name.toLowerCase()] = String(value);
  }
  for (const [name, values] of Object.entries(record(response.multiValueHeaders))) {
    if (!Array.isArray(values)) return undefined;
    if (!CONNECTION_HEADERS.has(name.toLowerCase())) headers[name.toLowerCase()] = values.map(String);
  }
  if (Array.isArray(response.cookies)) headers['set-cookie'] = response.cookies.map(String);
  return { status, headers };
}

async function nextChunk(stream: Readable): Promise<Buffer | undefined> {
  for (;;) {
    const chunk: unknown = stream.read();
    if (Buffer.isBuffer(chunk)) return chunk;
    if (stream.readableEnded || stream.destroyed) return undefined;
    await new Promise<void>((resolve) => {
      const done = () => {
        for (const event of ['readable', 'end', 'close', 'error']) stream.off(event, done);
        resolve();
      };
      for (const event of ['readable', 'end', 'close', 'error']) stream.on(event, done);
    });
  }
}

function parse(json: Buffer): Record<string, unknown> {
  try {
    return record(JSON.parse(json.toString('utf8')));
  } catch {
    return {};
  }
}
