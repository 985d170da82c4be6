/** Paths and methods that lead nowhere, over HTTP: what API Gateway says, and what the function says where it is asked. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BadRequest, refuses, send } from '../../support/bad-request-table.js';
import { type ServedEndpoint, serveEndpoint } from '../../support/served-endpoint.js';

const one = { name: 'x', dataType: 'float32', shape: ['N'] } as const;
let endpoint: ServedEndpoint;
beforeAll(async () => {
  endpoint = await serveEndpoint({ faces: false, echoes: { first: [one], second: [one] }, catchAll: true });
});
afterAll(() => endpoint?.close());

const url = () => endpoint.host.url;
const body = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}';
const good = { path: '/v2/models/first/infer', body };

describe('the function refuses', () => {
  const route = { status: 404, code: 'ROUTE_UNKNOWN', advice: 'Routes: /openapi.json' };
  const model = { status: 404, code: 'MODEL_UNKNOWN', advice: 'serves the model first' };
  const version = { status: 404, code: 'MODEL_VERSION_UNKNOWN', advice: 'Ask for version 1' };
  const method = (allowed: string) => ({ status: 405, code: 'METHOD_NOT_ALLOWED', advice: `Use ${allowed}` });
  const get = (path: string, verb = 'GET') => ({ method: verb, path });
  const rows: BadRequest[] = [
    ['a path that is nothing', get('/nothing'), { ...route, error: '"/nothing"' }],
    ['a path of 10,000 letters', get(`/${'x'.repeat(10_000)}`), { ...route, error: /^.{1,200}$/ }],
    ['a path with a slash too many', get('/v2/models/'), route],
    ['a path with two slashes', get('/v2//models'), route],
    ['a path with a segment too many', get('/v2/health/live/x'), route],
    ['a path in capitals', get('/V2'), route],
    ['a path that climbs', get('/v2/../v2'), route],
    ['a path that climbs in code', get('/%2e%2e/v2'), route],
    ['a path that is encoded', get('/v2%2Fmodels'), route],
    ['a path with an encoded end', get('/v2%00'), route],
    ['a path whose encoding is broken', get('/v2/%zz'), route],
    ['a path whose encoding is no UTF-8', get('/v2/%ff%fe'), route],
    ['no version', get('/v2/models/first/versions'), route],
    ['a verb that TensorFlow Serving has and we have not', { path: '/v1/models/first:classify', body }, route],
    ['an unknown model', get('/v2/models/third'), { ...model, error: '"third"' }],
    ['an unknown model, asked to infer', { path: '/v2/models/third/infer', body }, model],
    ['an unknown model, asked to predict', { path: '/v1/models/third:predict', body: '{"instances":[1]}' }, model],
    ['a picture for an unknown model', { path: '/predict/third', body }, model],
    ['a model whose name is encoded', { path: '/v2/models/%66irst/infer', body }, model],
    ['a model in capitals', get('/v2/models/First'), model],
    ['the model __proto__', get('/v2/models/__proto__'), model],
    ['a model of a script', get('/v2/models/<script>alert(1)'), { ...model, error: '<script>' }],
    ['an unknown version', get('/v2/models/first/versions/2'), { ...version, error: '"2"' }],
    ['an unknown version, asked to infer', { path: '/v2/models/first/versions/2/infer', body }, version],
    ['an unknown version, asked to predict', { path: '/v1/models/first/versions/2:predict', body: '{}' }, version],
    ['a version with a zero in front', get('/v2/models/first/versions/01'), version],
    ['a version of letters', get('/v2/models/first/versions/latest'), version],
    [
      'a task that the model has not',
      { path: '/predict/first', body },
      { status: 404, code: 'NO_TASK', advice: 'model.json' },
    ],
    ['GET of inference', get('/v2/models/first/infer'), method('POST')],
    ['PUT of inference', { ...good, method: 'PUT' }, { ...method('POST'), error: '"PUT"' }],
    ['DELETE of the server', get('/v2', 'DELETE'), method('GET')],
    ['POST of health', { path: '/v2/health/ready', body: '{}' }, method('GET')],
    ['POST of metadata', { path: '/v2/models/first', body: '{}' }, method('GET')],
    ['POST of a description', { path: '/openapi.json', body: '{}' }, method('GET')],
    ['PATCH of a model', get('/v1/models/first', 'PATCH'), method('GET')],
    ['a method that is none', get('/v2', 'PROPFIND'), method('GET')],
  ];
  refuses(rows, { url, good });

  it('a method, and names those that would do in the header Allow', async () => {
    expect((await send(url(), get('/v2/models/first/infer', 'DELETE'))).headers.allow).toBe('POST');
    expect((await send(url(), get('/v2', 'HEAD'))).status).toBe(405);
  });
});

it('a query string changes nothing', async () => {
  expect((await send(url(), { ...good, path: `${good.path}?verbose=1&x=%zz` })).status).toBe(200);
});
