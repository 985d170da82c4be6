/** How services of AWS are reached: connections, the time of signatures, addresses. How signatures look is tested with each target. */
import { afterEach, describe, expect, it } from 'vitest';
import { readEndpoint } from '../../../functions/aws/endpoint.js';
import { SignedRequests } from '../../../functions/aws/signed-requests.js';
import { SigningTime } from '../../../functions/aws/signing-time.js';
import { awsError } from '../../support/aws-answers.js';
import { signingDate } from '../../support/aws-signature.js';
import { type FaultyService, startFaultyService } from '../../support/faulty-service.js';
import { refusalOf } from '../../support/refusal.js';

const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'se/cret+', sessionToken: undefined };
let service: FaultyService | undefined;
afterEach(() => service?.close());

async function start(): Promise<SignedRequests> {
  service = await startFaultyService({
    answer: async (request) => {
      await request.toArray();
      return { status: 200, headers: {}, body: Buffer.from('{}') };
    },
  });
  return postTo(service.url);
}

function postTo(url: string, time = new SigningTime()): SignedRequests {
  const variables = { AWS_REGION: 'eu-west-1', AWS_ENDPOINT_URL_LAMBDA: url };
  const endpoint = readEndpoint({ variable: 'LAMBDA', host: 'lambda' }, variables);
  return new SignedRequests({ endpoint, service: 'lambda', credentials, time });
}

describe('connections', () => {
  it('are used again, but not when they were idle for as long as servers keep them', async () => {
    const post = await start();
    const signal = new AbortController().signal;
    const realNow = Date.now;
    const once = () => post.send({ path: '/', headers: {}, body: '{}', signal });
    try {
      for (let time = 0; time < 3; time++) await once();
      expect(service?.connections()).toBe(1);
      Date.now = () => realNow() + 4_100;
      await once();
      expect(service?.connections()).toBe(2);
      Date.now = () => realNow() - 3_600_000;
      await once();
      expect(service?.connections()).toBe(3);
    } finally {
      Date.now = realNow;
    }
  });
});

describe('a clock that is wrong', () => {
  it("signs with the service's time as soon as an answer said it", async () => {
    const post = await start();
    const realNow = Date.now;
    const signal = new AbortController().signal;
    // The service is this process and writes the real time; the router's clock is an hour late.
    const serviceDate = new Date(realNow()).toUTCString();
    const time = new SigningTime();
    try {
      Date.now = () => realNow() - 3_600_000;
      time.learn(serviceDate);
      const late = postTo(service?.url ?? '', time);
      await late.send({ path: '/', headers: {}, body: '{}', signal });
    } finally {
      Date.now = realNow;
    }
    await post.send({ path: '/', headers: {}, body: '{}', signal });
    const [first, second] = service?.calls.map(({ request }) => String(request.headers['x-amz-date'])) ?? [];
    const minutes = (text = '') => Number(text.slice(9, 11)) * 60 + Number(text.slice(11, 13));
    expect(Math.abs(minutes(first) - minutes(second))).toBeLessThanOrEqual(1);
  });

  it('costs a second request where the first was refused for it, and no other refusal does', async () => {
    const realNow = Date.now;
    const [refusesAll, isNew] = [{ isOn: false }, (time: Date) => Math.abs(time.getTime() - realNow()) < 5 * 60_000];
    service = await startFaultyService({
      answer: async (request) => {
        await request.toArray();
        return { status: 200, headers: {}, body: Buffer.from('{}') };
      },
      fault: ({ request: { headers } }) =>
        refusesAll.isOn || !isNew(signingDate(String(headers['x-amz-date'])))
          ? awsError(403, 'InvalidSignatureException')
          : undefined,
    });
    const post = postTo(service.url);
    const send = () => post.send({ path: '/', headers: {}, body: '{}', signal: new AbortController().signal });
    try {
      for (const [by, calls] of [
        [-3_600_000, 2],
        [-3_600_000, 3],
        [3_600_000, 5],
        [0, 7],
      ] as const) {
        Date.now = () => realNow() + by;
        expect([await send(), service.calls.length]).toMatchObject([{ status: 200 }, calls]);
      }
    } finally {
      Date.now = realNow;
    }
    refusesAll.isOn = true;
    expect([await send(), service.calls.length]).toMatchObject([{ status: 403 }, 8]);
  });

  it('is not corrected by a few seconds, nor by what is no date', () => {
    const time = new SigningTime();
    const before = time.now();
    time.learn('soon');
    time.learn(undefined);
    time.learn(new Date(Date.now() + 60_000).toUTCString());
    expect(Number(time.now().slice(9, 15)) - Number(before.slice(9, 15))).toBeLessThan(60);
  });
});

describe('where a service is', () => {
  const names = { variable: 'LAMBDA', host: 'lambda' };
  it.each([
    [{ AWS_REGION: 'eu-west-1' }, 'https://lambda.eu-west-1.amazonaws.com'],
    [{ AWS_REGION: 'cn-north-1' }, 'https://lambda.cn-north-1.amazonaws.com.cn'],
    [{ AWS_REGION: 'eu-west-1', AWS_ENDPOINT_URL: 'http://localhost:4566/' }, 'http://localhost:4566'],
    [{ AWS_REGION: 'eu-west-1', AWS_ENDPOINT_URL: 'http://a', AWS_ENDPOINT_URL_LAMBDA: 'http://b:1' }, 'http://b:1'],
  ])('%j: %s', (environment, url) => {
    expect(readEndpoint(names, environment).url).toBe(url);
  });

  it.each([
    [{}, 'REGION_MISSING'],
    [{ AWS_REGION: 'eu-west-1', AWS_ENDPOINT_URL_LAMBDA: 'localhost:1' }, 'ENDPOINT_INVALID'],
  ])('%j is refused: %s', async (environment, code) => {
    expect(await refusalOf(() => readEndpoint(names, environment))).toMatchObject({ code });
  });
});
