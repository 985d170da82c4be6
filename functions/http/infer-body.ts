/** The body of `POST /v2/models/{model}/infer`, before anything of it is decoded. */
import { RequestError } from '../../lib/errors.js';
import { type HttpRequest, mediaType, refuseEncodedBody } from './http.js';

/** Says how long the JSON document in front of binary tensors is. */
export const HEADER_LENGTH = 'inference-header-content-length';
const MEDIA_TYPES = ['application/json', 'application/octet-stream', ''];

export type UndecodedInferBody =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'base64'; readonly base64: string; readonly headerLength: number | undefined };

/**
 * @throws RequestError `CONTENT_ENCODING_UNSUPPORTED`, `MEDIA_TYPE_UNSUPPORTED`, `BINARY_BODY_AS_TEXT` (415), `HEADER_LENGTH_INVALID` (400)
 */
export function readInferBody(request: HttpRequest): UndecodedInferBody {
  refuseEncodedBody(request);
  const headerLength = readHeaderLength(request.headers);
  const type = mediaType(request);
  const { content, isBase64 } = request.body;
  if (headerLength === undefined && !MEDIA_TYPES.includes(type)) {
    throw new RequestError({
      status: 415,
      code: 'MEDIA_TYPE_UNSUPPORTED',
      message: `The body's Content-Type is ${JSON.stringify(type.slice(0, 80))}.`,
      advice: 'Send application/json, or application/octet-stream with the header Inference-Header-Content-Length.',
    });
  }
  if (isBase64) return { kind: 'base64', base64: content, headerLength };
  if (headerLength === undefined || headerLength === Buffer.byteLength(content)) return { kind: 'text', text: content };
  throw new RequestError({
    status: 415,
    code: 'BINARY_BODY_AS_TEXT',
    message: `A body with binary tensors came as ${JSON.stringify(type.slice(0, 80))}, which API Gateway reads as text.`,
    advice: 'Send it with Content-Type: application/octet-stream.',
  });
}

/** @throws RequestError `HEADER_LENGTH_INVALID` */
export function readHeaderLength({ [HEADER_LENGTH]: header }: HttpRequest['headers']): number | undefined {
  if (header === undefined) return undefined;
  const length = Number(header);
  if (/^\d{1,15}$/.test(header.trim())) return length;
  throw new RequestError({
    status: 400,
    code: 'HEADER_LENGTH_INVALID',
    message: `Inference-Header-Content-Length is ${JSON.stringify(header.slice(0, 40))}.`,
    advice: 'Send the length of the JSON document in bytes.',
  });
}
