import { badRequest, quoted } from './bad-request.js';

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

/**
 * @param hasLength whether the document's length came with the request
 * @throws RequestError `JSON_INVALID`, `OBJECT_EXPECTED`
 */
export function parseDocument(text: string, hasLength: boolean): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw jsonInvalid(cause instanceof Error ? cause.message : String(cause), hasLength);
  }
  return objectAt(value, 'the request');
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
