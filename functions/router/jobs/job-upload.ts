/** What a caller says of a request that he will put into S3 himself, because it is too large for Lambda. */
import { RequestError } from '../../../lib/errors.js';
import type { HttpRequest } from '../../http/http.js';
import { readHeaderLength } from '../../http/infer-body.js';
import { jsonMembers } from '../targets/service-error.js';
import { tritonContentType } from '../targets/triton-body.js';

export interface AnnouncedUpload {
  readonly bytes: number;
  /** As SageMaker is to be told it. */
  readonly contentType: string;
}

/** https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference.html */
const MAX_UPLOAD_BYTES = 1024 ** 3;

/** What the upload has to bring along beside its length. Whoever has the address can write the object once, and no other. */
export const UPLOAD_HEADERS = { 'content-type': 'application/octet-stream', 'if-none-match': '*' } as const;
export const UPLOAD_SECONDS = 900;

/**
 * From `{ "bytes": N }`, and the header that says how long the document in front of binary tensors is.
 *
 * @throws RequestError `UPLOAD_INVALID`, `HEADER_LENGTH_INVALID`
 */
export function readAnnouncedUpload({ headers, body }: HttpRequest): AnnouncedUpload {
  const text = Buffer.from(body.content, body.isBase64 ? 'base64' : 'utf8').toString('utf8');
  const { bytes, ...others } = jsonMembers(text);
  const headerLength = readHeaderLength(headers);
  const isSize = typeof bytes === 'number' && Number.isInteger(bytes) && bytes >= 1 && bytes <= MAX_UPLOAD_BYTES;
  const isKnown = Object.keys(others).length === 0;
  if (isSize && isKnown && (headerLength ?? 0) <= bytes) return { bytes, contentType: tritonContentType(headerLength) };
  throw new RequestError({
    status: 400,
    code: 'UPLOAD_INVALID',
    message: `The body should say how large the upload will be, from 1 to ${MAX_UPLOAD_BYTES} bytes, and no less than Inference-Header-Content-Length.`,
    advice: 'Send {"bytes": N}, with N the length of what you will upload.',
  });
}

export function uploadMissing(): RequestError {
  return new RequestError({
    status: 409,
    code: 'UPLOAD_MISSING',
    message: 'The request of this job has not been uploaded.',
    advice: 'PUT it to the address that POST /v2/models/{model}/jobs answered with, then start the job.',
  });
}
