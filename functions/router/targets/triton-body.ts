/**
 * Bodies of V2 as Triton on SageMaker takes and gives them. Headers of the caller do not get through, so the length of the document in front
 * of binary tensors travels in the content type, both ways. Triton's src/sagemaker_server.cc
 */
import type { HttpResponse } from '../../http/http.js';
import { HEADER_LENGTH, type UndecodedInferBody } from '../../http/infer-body.js';
import { jsonMembers } from './service-error.js';

const JSON_TYPE = 'application/json';
const BINARY_TYPE = 'application/vnd.sagemaker-triton.binary+json;json-header-size=';

export interface TritonBody {
  readonly contentType: string;
  readonly body: string | Buffer;
}

/** With the document in front, as it is sent. */
export interface BinaryInferBody {
  readonly kind: 'bytes';
  readonly bytes: Buffer;
  readonly headerLength: number;
}

export function encodeTritonBody(body: UndecodedInferBody | BinaryInferBody): TritonBody {
  if (body.kind === 'bytes') return { contentType: tritonContentType(body.headerLength), body: body.bytes };
  if (body.kind === 'text') return { contentType: JSON_TYPE, body: body.text };
  return { contentType: tritonContentType(body.headerLength), body: Buffer.from(body.base64, 'base64') };
}

/** @param headerLength bytes of the document; undefined where it is all there is */
export function tritonContentType(headerLength: number | undefined): string {
  return headerLength === undefined ? JSON_TYPE : `${BINARY_TYPE}${headerLength}`;
}

/**
 * Undefined for what is no whole answer of Triton.
 *
 * @param isFramed whether the body is known to be as long as it should be
 */
export function decodeTritonBody(contentType: string, body: Buffer, isFramed: boolean): HttpResponse | undefined {
  if (!contentType.startsWith(BINARY_TYPE)) {
    const text = body.toString('utf8');
    const isWhole = isFramed ? /^\s*\{/.test(text) : Object.keys(jsonMembers(text)).length > 0;
    return isWhole ? { status: 200, headers: { 'content-type': JSON_TYPE }, body: text } : undefined;
  }
  const digits = contentType.slice(BINARY_TYPE.length).trim();
  const length = Number(digits);
  if (!/^\d{1,10}$/.test(digits) || length > body.length) return undefined;
  if (body.length - length !== binaryBytes(jsonMembers(body.toString('utf8', 0, length)))) return undefined;
  return binaryAnswer(body, length);
}

/** An answer that was kept without its content type: the document says where it ends itself. */
export function decodeStoredTritonBody(contentType: string, body: Buffer): HttpResponse | undefined {
  if (contentType.startsWith(BINARY_TYPE)) return decodeTritonBody(contentType, body, true);
  const length = documentLength(body);
  if (length === undefined) return undefined;
  if (body.toString('latin1', length).trim() === '') return decodeTritonBody(JSON_TYPE, body, true);
  return decodeTritonBody(tritonContentType(length), body, true);
}

function binaryAnswer(body: Buffer, length: number): HttpResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/octet-stream', [HEADER_LENGTH]: String(length) },
    body: [body],
  };
}

/** How many bytes follow the document, by its own word. */
function binaryBytes({ outputs }: Readonly<Record<string, unknown>>): number {
  if (!Array.isArray(outputs)) return Number.NaN;
  const sizes = outputs.map((output: { parameters?: { binary_data_size?: unknown } } | null) =>
    Number(output?.parameters?.binary_data_size ?? 0),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING = [0x7b, 0x5b];
const CLOSING = [0x7d, 0x5d];

/** Of the JSON object that a body begins with, in bytes; undefined where it begins with none. */
function documentLength(body: Buffer): number | undefined {
  let depth = 0;
  let isText = false;
  for (let index = 0; index < body.length; index++) {
    const byte = body[index] ?? 0;
    if (isText) {
      if (byte === BACKSLASH) index += 1;
      else if (byte === QUOTE) isText = false;
    } else if (byte === QUOTE) isText = true;
    else if (OPENING.includes(byte)) depth += 1;
    else if (CLOSING.includes(byte) && --depth === 0) return index + 1;
    if (depth === 0 && byte > 0x20) return undefined;
  }
  return undefined;
}
