import { RequestError } from '../errors.js';

/** An error that the caller can mend by sending something else: status 400. */
export function badRequest(code: string, message: string, advice: string): RequestError {
  return new RequestError({ status: 400, code, message, advice });
}

const MAX_QUOTED = 80;

/** A value of a request as an error may quote it: JSON, cut to a length that a log line bears. */
export function quoted(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(shortened(value));
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** Names that a request may use, for an error's advice. */
export function listed(names: readonly string[]): string {
  return shortened(names.map((name) => JSON.stringify(name)).join(', '), 400);
}

export function shapeText(shape: readonly (number | string | null)[]): string {
  return shortened(`[${shape.map((dimension) => dimension ?? '?').join(', ')}]`, 200);
}

function shortened(text: string, length = MAX_QUOTED): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}
