import { badRequest, quoted } from './bad-request.js';
import { endOfString } from './json-text.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * @param hasLength whether the document's length came with the request
 * @throws RequestError `JSON_INVALID`
 */
export function decodeText(bytes: Uint8Array, hasLength: boolean): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw jsonInvalid('it is not UTF-8', hasLength);
  }
}

/** What API Gateway read as text may still begin with the mark that `decodeText` takes from bytes. */
export function withoutByteOrderMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

/**
 * @param hasLength whether the document's length came with the request
 * @throws RequestError `JSON_INVALID`, `JSON_TOO_DEEP`, `OBJECT_EXPECTED`
 */
export function parseDocument(text: string, hasLength: boolean): JsonObject {
  refuseDeepNesting(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw jsonInvalid(cause instanceof Error ? cause.message : String(cause), hasLength);
  }
  return objectAt(value, 'the request');
}

/** A tensor of the highest rank, and what stands around it. */
const MAX_DEPTH = 64;
/** A shorter text cannot hold enough levels to cost anything. */
const MIN_DEEP_LENGTH = 100_000;

const QUOTE = 0x22;
/** `[` and `{` differ in this bit alone, and so do `]` and `}`. */
const BRACE_BIT = 0x20;
const OPENING = 0x7b;
const CLOSING = 0x7d;

/** Each level is an object of its own for JSON.parse: 6 MB of brackets would take 300 MB and a second. */
function refuseDeepNesting(text: string): void {
  if (text.length < MIN_DEEP_LENGTH) return;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at) - 1;
    else if ((code | BRACE_BIT) === CLOSING) depth--;
    else if ((code | BRACE_BIT) === OPENING && ++depth > MAX_DEPTH) {
      throw badRequest(
        'JSON_TOO_DEEP',
        `The request's JSON is nested more than ${MAX_DEPTH} levels deep.`,
        'Nest the data of a tensor as deep as it has dimensions, or send it flat.',
      );
    }
  }
}

function jsonInvalid(reason: string, hasLength: boolean) {
  return badRequest(
    'JSON_INVALID',
    `The request is not JSON: ${reason}.`,
    hasLength
      ? 'Check that Inference-Header-Content-Length is the length of the JSON document in bytes.'
      : 'Send a JSON object in UTF-8; where binary tensors follow it, its length goes in the header Inference-Header-Content-Length.',
  );
}

/** @throws RequestError `OBJECT_EXPECTED` */
export function objectAt(value: unknown, label: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw badRequest('OBJECT_EXPECTED', `${label} is ${quoted(value)}.`, 'Send a JSON object there.');
}

/** @throws RequestError `FLAG_INVALID` */
export function flag(value: unknown, label: string): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  throw badRequest('FLAG_INVALID', `${label} is ${quoted(value)}.`, 'Send true or false.');
}
