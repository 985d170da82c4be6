import { SignatureV4 } from '@smithy/signature-v4';
import { afterEach, describe, expect, test } from 'vitest';
import { readS3Object } from '../../../../functions/predict/weights/s3-object.js';
import { S3Reader } from '../../../../functions/predict/weights/s3-reader.js';
import { Sha256, signingDate } from '../../../support/aws-signature.js';
import { type FaultyS3, startFaultyS3 } from '../../../support/faulty-s3.js';
import { refusalOf } from '../../../support/refusal.js';

const credentials = {
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'se/cret+',
  AWS_SESSION_TOKEN: 'tok/en==',
};
const environment = { ...credentials, AWS_REGION: 'eu-west-1' };
let s3: FaultyS3 | undefined;
afterEach(() => s3?.close());

test.each(['plain', 'with space/ümlaut+plus'])(
  "a request is signed as AWS's own signer signs it: key '%s'",
  async (key) => {
    s3 = await startFaultyS3({ content: Buffer.from('0123456789') });
    const object = readS3Object(`s3://bucket/${key}`, { ...environment, AWS_ENDPOINT_URL_S3: s3.url });
    const reader = await S3Reader.open({ object, bytes: 10, connections: 1 });
    const response = await reader.get({ start: 2, end: 6 }, new AbortController().signal);
    expect(Buffer.concat(await response.toArray()).toString()).toBe('2345');
    reader.close();

    const sent = s3.seen[0]?.request;
    const { host = '', authorization = '' } = sent?.headers ?? {};
    const date = String(sent?.headers['x-amz-date']);
    const signer = new SignatureV4({
      service: 's3',
      region: 'eu-west-1',
      credentials: {
        accessKeyId: credentials.AWS_ACCESS_KEY_ID,
        secretAccessKey: credentials.AWS_SECRET_ACCESS_KEY,
        sessionToken: credentials.AWS_SESSION_TOKEN,
      },
      sha256: Sha256,
      uriEscapePath: false,
    });
    const { headers } = await signer.sign(
      {
        method: 'GET',
        protocol: 'http:',
        hostname: '127.0.0.1',
        path: sent?.url ?? '',
        headers: { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
      },
      { signingDate: signingDate(date) },
    );
    expect(sent?.headers['x-amz-security-token']).toBe(credentials.AWS_SESSION_TOKEN);
    expect(authorization.replaceAll(/\s/g, '')).toBe(headers.authorization?.replaceAll(/\s/g, ''));
  },
);

describe('where an object lies', () => {
  const urlOf = (uri: string, variables: Record<string, string> = {}) =>
    readS3Object(uri, { ...environment, ...variables }).url.href;

  test("in AWS: by the bucket's name, in the function's region and partition", () => {
    expect(urlOf('s3://assets/a/b.data')).toBe('https://assets.s3.eu-west-1.amazonaws.com/a/b.data');
    expect(urlOf('s3://assets/a', { AWS_REGION: 'cn-north-1' })).toBe(
      'https://assets.s3.cn-north-1.amazonaws.com.cn/a',
    );
    expect(urlOf('s3://with.dots/a')).toBe('https://s3.eu-west-1.amazonaws.com/with.dots/a');
  });

  test('elsewhere: by path, S3’s own variable before the one for all services', () => {
    const variables = { AWS_ENDPOINT_URL: 'http://localhost:4566' };
    expect(urlOf('s3://assets/a', variables)).toBe('http://localhost:4566/assets/a');
    expect(urlOf('s3://assets/a', { ...variables, AWS_ENDPOINT_URL_S3: 'https://s3.example.com/base/' })).toBe(
      'https://s3.example.com/base/assets/a',
    );
  });

  test.each<[string, string, Record<string, string>]>([
    ['WEIGHTS_LOCATION_INVALID', 'https://assets/a', {}],
    ['WEIGHTS_LOCATION_INVALID', 's3://assets', {}],
    ['WEIGHTS_LOCATION_INVALID', 's3://assets/a', { AWS_REGION: '' }],
    ['WEIGHTS_LOCATION_INVALID', 's3://assets/a', { AWS_ENDPOINT_URL_S3: 'file:///etc' }],
    ['WEIGHTS_LOCATION_INVALID', 's3://assets/a', { AWS_ENDPOINT_URL_S3: 'nonsense' }],
    ['CREDENTIALS_MISSING', 's3://assets/a', { AWS_ACCESS_KEY_ID: '' }],
  ])('%s: %s %o', async (code, uri, variables) => {
    expect(await refusalOf(() => urlOf(uri, variables))).toMatchObject({ code });
  });
});
