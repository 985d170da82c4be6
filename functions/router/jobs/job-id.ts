/** What jobs are called. Nobody can guess the name of another one's job. */
import { createHmac, randomBytes } from 'node:crypto';
import { RequestError } from '../../../lib/errors.js';
import type { HttpRequest } from '../../http/http.js';

/** https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/ */
export const IDEMPOTENCY_KEY = 'idempotency-key';
const KEY = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/;

/** 128 bits. */
const ID_BYTES = 16;
const ID = /^[0-9a-f]{32}$/;

export function isJobId(text: string): boolean {
  return ID.test(text);
}

export function randomJobId(): string {
  return randomBytes(ID_BYTES).toString('hex');
}

/** One key of a model names one job, in every environment of the router; the secret keeps who knows a key from knowing the job. */
export function keyedJobId(secret: string, model: string, key: string): string {
  return createHmac('sha256', secret)
    .update(JSON.stringify([model, key]))
    .digest('hex')
    .slice(0, 2 * ID_BYTES);
}

/**
 * Undefined where the request has none.
 *
 * @throws RequestError `IDEMPOTENCY_KEY_INVALID`
 */
export function readIdempotencyKey({ headers }: HttpRequest): string | undefined {
  const key = headers[IDEMPOTENCY_KEY];
  if (key === undefined || KEY.test(key)) return key;
  throw new RequestError({
    status: 400,
    code: 'IDEMPOTENCY_KEY_INVALID',
    message: `The header Idempotency-Key has ${key.length} characters, or some that are not visible ASCII.`,
    advice: 'Send 1 to 255 visible ASCII characters that no other request has, such as a UUID.',
  });
}
