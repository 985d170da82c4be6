/** What jobs are called. Nobody can guess the name of another one's job. */
import { createHmac, randomBytes } from 'node:crypto';
import { RequestError } from '../../../lib/errors.js';
import type { HttpRequest } from '../../http/http.js';

/** https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/ */
export const IDEMPOTENCY_KEY = 'idempotency-key';
const KEY = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/;

/** 128 bits. */
const NAME_DIGITS = 32;
/** So many digits say that a router gave the name: when a job's objects are gone, nothing else tells that it was there. */
const MARK_DIGITS = 8;
const ID = new RegExp(`^[0-9a-f]{${NAME_DIGITS + MARK_DIGITS}}$`);

export function isJobId(text: string): boolean {
  return ID.test(text);
}

/** Whether a router with this secret gave the id to a job of the model. */
export function isGivenJobId(secret: string, model: string, id: string): boolean {
  return id === marked(secret, model, id.slice(0, NAME_DIGITS));
}

export function randomJobId(secret: string, model: string): string {
  return marked(secret, model, randomBytes(NAME_DIGITS / 2).toString('hex'));
}

/** One key of a model names one job, in every environment of the router; the secret keeps who knows a key from knowing the job. */
export function keyedJobId(secret: string, model: string, key: string): string {
  return marked(secret, model, digits(NAME_DIGITS, secret, [model, key]));
}

function marked(secret: string, model: string, name: string): string {
  return `${name}${digits(MARK_DIGITS, secret, ['given', model, name])}`;
}

function digits(count: number, secret: string, of: readonly string[]): string {
  return createHmac('sha256', secret).update(JSON.stringify(of)).digest('hex').slice(0, count);
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
