import { validateHeaderName, validateHeaderValue } from 'node:http';
import { record } from './cloud-assembly.js';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer;
}

/** Headers that the connection decides, not the function. */
export const CONNECTION_HEADERS = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/** Whether HTTP can carry it. */
function isHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

/** What API Gateway itself says. */
export function gatewayAnswer(status: number, message: string): HttpAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ message })),
  };
}

/**
 * A function's result as an HTTP answer, after the rules of payload format 2.0: without a `statusCode` the result is the body of a 200
 * in JSON; undefined for a result that API Gateway does not understand.
 */
export function toHttpAnswer(result: unknown): HttpAnswer | undefined {
  const response = record(result);
  if (response.statusCode === undefined) {
    return {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(typeof result === 'string' ? result : JSON.stringify(result)),
    };
  }
  const status = Number(response.statusCode);
  if (!Number.isInteger(status) || status < 100 || status > 599) return undefined;
  if (response.body !== undefined && response.body !== null && typeof response.body !== 'string') return undefined;

  const headers: Record<string, string | readonly string[]> = { 'content-type': 'text/plain;charset=UTF-8' };
  for (const [name, value] of Object.entries(record(response.headers))) {
    const lowerCase = name.toLowerCase();
    if (!['string', 'number', 'boolean'].includes(typeof value)) return undefined;
    if (!isHeader(lowerCase, String(value))) return undefined;
    if (!CONNECTION_HEADERS.has(lowerCase)) headers[lowerCase] = String(value);
  }
  if (Array.isArray(response.cookies)) {
    const cookies = response.cookies.map(String);
    if (!cookies.every((cookie) => isHeader('set-cookie', cookie))) return undefined;
    headers['set-cookie'] = cookies;
  }
  const encoding = response.isBase64Encoded === true ? 'base64' : 'utf8';
  return { status, headers, body: Buffer.from(response.body ?? '', encoding) };
}
