/** Where an object lies in S3, and who may read it: from its URI and the function's environment. */
import { ConfigurationError } from '../../../lib/errors.js';
import { bucketUrl } from '../../aws/bucket-url.js';
import { type Credentials, readCredentials } from '../../aws/credentials.js';

export interface S3Object {
  /** `s3://bucket/key`, for messages. */
  readonly uri: string;
  readonly url: URL;
  readonly region: string;
  readonly credentials: Credentials;
}

/**
 * @param uri `s3://bucket/key`
 * @param environment credentials and region as Lambda sets them; `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` names another server,
 *   which is asked by path (`/bucket/key`)
 * @throws ConfigurationError `WEIGHTS_LOCATION_INVALID`, `CREDENTIALS_MISSING`
 */
export function readS3Object(uri: string, environment: NodeJS.ProcessEnv): S3Object {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(uri) ?? [];
  const region = environment.AWS_REGION || environment.AWS_DEFAULT_REGION;
  if (bucket === undefined || key === undefined || region === undefined) {
    throw new ConfigurationError({
      code: 'WEIGHTS_LOCATION_INVALID',
      message: `The weights should be at ${JSON.stringify(uri)} in the region ${JSON.stringify(region ?? '')}.`,
      advice: 'Set CDK_ONNX_WEIGHTS to s3://bucket/key as InferenceFunction does, and AWS_REGION as Lambda does.',
    });
  }
  const endpoint = environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL;
  return {
    uri,
    url: objectUrl(bucket, key, region, endpoint),
    region,
    credentials: readCredentials(environment, 'the weights cannot be read from S3'),
  };
}

function objectUrl(bucket: string, key: string, region: string, endpoint: string | undefined): URL {
  const base = bucketUrl(bucket, region, endpoint);
  if (base === undefined) {
    throw new ConfigurationError({
      code: 'WEIGHTS_LOCATION_INVALID',
      message: `The endpoint of S3 is ${JSON.stringify(endpoint?.slice(0, 200))}.`,
      advice: 'Set AWS_ENDPOINT_URL_S3 to an http or https URL, or remove it.',
    });
  }
  return new URL(`${base}/${key.split('/').map(encodeURIComponent).join('/')}`);
}
