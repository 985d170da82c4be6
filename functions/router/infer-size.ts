/** How large an inference is, without decoding it. */
import type { UndecodedInferBody } from '../http/infer-body.js';

/** In JSON a quote within a text is escaped, so that this matches no text of a tensor. */
const FIRST_SHAPE = /"shape"\s*:\s*\[\s*(\d+)/;

/** The leading dimension of the first input; undefined where the document names none. */
export function leadingDimension(body: UndecodedInferBody): number | undefined {
  const [, size] = FIRST_SHAPE.exec(documentOf(body)) ?? [];
  return size === undefined ? undefined : Number(size);
}

function documentOf(body: UndecodedInferBody): string {
  if (body.kind === 'text') return body.text;
  const { base64, headerLength } = body;
  const characters = headerLength === undefined ? base64.length : Math.ceil(headerLength / 3) * 4;
  return Buffer.from(base64.slice(0, characters), 'base64').toString('utf8');
}

export function payloadBytes({ content, isBase64 }: { readonly content: string; readonly isBase64: boolean }): number {
  return Buffer.byteLength(content, isBase64 ? 'base64' : 'utf8');
}
