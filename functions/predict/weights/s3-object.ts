/** Where an object lies in S3, and who may read it: from its URI and the function's environment. */
import { ConfigurationError } from '../../../lib/errors.js';

export interface S3Object {
  /** `s3://bucket/key`, for messages. */
  readonly uri: string;
  readonly url: URL;
  readonly region: string;
  readonly credentials: Credentials;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

/** Domains of AWS's partitions by how their regions begin; all others are `amazonaws.com`. https://docs.aws.amazon.com/general/latest/gr/s3.html */
const PARTITION_DOMAINS: readonly (readonly [prefix: string, domain: string])[] = [
  ['cn-', 'amazonaws.com.cn'],
  ['eusc-', 'amazonaws.eu'],
  ['us-iso-', 'c2s.ic.gov'],
  ['us-isob-', 'sc2s.sgov.gov'],
  ['us-isof-', 'csp.hci.ic.gov'],
  ['eu-isoe-', 'cloud.adc-e.uk'],
];

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
  return { uri, url: objectUrl(bucket, key, region, endpoint), region, credentials: readCredentials(environment) };
}

function objectUrl(bucket: string, key: string, region: string, endpoint: string | undefined): URL {
  const path = key.split('/').map(encodeURIComponent).join('/');
  if (endpoint !== undefined) {
    try {
      const base = new URL(endpoint);
      if (base.protocol === 'http:' || base.protocol === 'https:') {
        return new URL(`${base.origin}${base.pathname.replace(/\/+$/, '')}/${bucket}/${path}`);
      }
    } catch {
      // Said below.
    }
    throw new ConfigurationError({
      code: 'WEIGHTS_LOCATION_INVALID',
      message: `The endpoint of S3 is ${JSON.stringify(endpoint.slice(0, 200))}.`,
      advice: 'Set AWS_ENDPOINT_URL_S3 to an http or https URL, or remove it.',
    });
  }
  const domain = PARTITION_DOMAINS.find(([prefix]) => region.startsWith(prefix))?.[1] ?? 'amazonaws.com';
  // A dot in the bucket's name would not match the certificate of *.s3.<region>.<domain>.
  return bucket.includes('.')
    ? new URL(`https://s3.${region}.${domain}/${bucket}/${path}`)
    : new URL(`https://${bucket}.s3.${region}.${domain}/${path}`);
}

function readCredentials(environment: NodeJS.ProcessEnv): Credentials {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = environment;
  if (AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY) {
    return {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      sessionToken: AWS_SESSION_TOKEN || undefined,
    };
  }
  throw new ConfigurationError({
    code: 'CREDENTIALS_MISSING',
    message:
      'The environment has no AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, so the weights cannot be read from S3.',
    advice: "Lambda sets them from the function's role; elsewhere set them yourself.",
  });
}
