/** What an answer of S3 that is no content means. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
import type { IncomingMessage } from 'node:http';
import { ArtifactError, type CdkOnnxError } from '../../../lib/errors.js';
import type { S3Object } from './s3-object.js';

/** What may be over in a moment: worth another attempt. */
export class TransientError extends Error {}

const MAX_ERROR_BYTES = 16_384;
/** Statuses that pass, and codes of S3 that do although their status is 400. */
const TRANSIENT_STATUSES = [408, 429];
const TRANSIENT_CODES = ['RequestTimeout', 'SlowDown', 'InternalError'];

/** Reads an answer that is neither 200 nor 206. */
export async function errorFromAnswer(object: S3Object, response: IncomingMessage): Promise<Error> {
  const status = response.statusCode ?? 0;
  const body = await readStart(response);
  const said = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1];
  const code = said('Code');
  const answer = `S3 answered ${status}${code === undefined ? '' : ` ${code}`} for ${object.uri}`;
  if (status >= 500 || TRANSIENT_STATUSES.includes(status) || (code !== undefined && TRANSIENT_CODES.includes(code))) {
    return new TransientError(`${answer}.`);
  }
  const header = response.headers['x-amz-bucket-region'];
  return lastingError(object, { status, code, answer, region: said('Region') ?? header?.toString() });
}

function lastingError(
  { region }: S3Object,
  said: {
    readonly status: number;
    readonly code: string | undefined;
    readonly answer: string;
    readonly region: string | undefined;
  },
): CdkOnnxError {
  const { status, code, answer } = said;
  if ((status >= 300 && status < 400) || code === 'AuthorizationHeaderMalformed') {
    return new ArtifactError({
      code: 'WEIGHTS_REGION',
      message: `${answer}: the bucket is in ${said.region ?? 'another region'}, the function in ${region}.`,
      advice: "Keep the weights in a bucket of the function's own region: bootstrap and deploy the stack there.",
    });
  }
  if (status === 404) {
    return new ArtifactError({
      code: 'WEIGHTS_NOT_FOUND',
      message: `${answer}.`,
      advice: 'Deploy the stack again: `cdk deploy` uploads what is absent. `cdk gc` deletes what no stack refers to.',
    });
  }
  if (status === 416) return sizeError(`${answer}: it is shorter than the manifest says`);
  return new ArtifactError({
    code: status === 401 || status === 403 ? 'WEIGHTS_ACCESS_DENIED' : 'WEIGHTS_REFUSED',
    message: `${answer}.`,
    advice:
      "The function's role needs s3:GetObject on this object, and kms:Decrypt where the bucket has a KMS key of yours (assetBucketKey); " +
      'policies of the bucket, the key, the account or a VPC endpoint may deny it too. A role that is seconds old may need a moment.',
  });
}

export function sizeError(message: string): CdkOnnxError {
  return new ArtifactError({
    code: 'WEIGHTS_SIZE',
    message: `${message}.`,
    advice: 'Deploy the stack again, so that the layer and the object in S3 come from the same build.',
  });
}

/** The beginning of a body as text; what cannot be read says nothing. */
async function readStart(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_ERROR_BYTES) break;
    }
  } catch {
    // The status has to do.
  }
  return Buffer.concat(chunks).toString('utf8', 0, MAX_ERROR_BYTES);
}
