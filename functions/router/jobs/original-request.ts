/** A request of the model's task beside the tensors that were made of it: its predictions are made by it, too. */
import type { HttpRequest } from '../../http/http.js';
import { jsonMembers } from '../targets/service-error.js';

/** What a task reads of a request. */
export function writeOriginal({ headers, body }: HttpRequest): string {
  return JSON.stringify({ contentType: headers['content-type'], body });
}

/** Undefined for what `writeOriginal` did not write. */
export function readOriginal(text: string): HttpRequest | undefined {
  const { contentType, body } = jsonMembers(text);
  const { content, isBase64 } = (body ?? {}) as { readonly content?: unknown; readonly isBase64?: unknown };
  if (typeof content !== 'string' || typeof isBase64 !== 'boolean') return undefined;
  return {
    method: 'POST',
    path: '',
    basePath: '',
    headers: typeof contentType === 'string' ? { 'content-type': contentType } : {},
    body: { content, isBase64 },
    requestId: undefined,
    receivedAt: undefined,
  };
}
