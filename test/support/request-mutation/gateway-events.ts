/** What API Gateway makes of a request: the event of an HTTP API, and that of a REST API. */
import { toHttpEvent } from '../../../lib/local/http-event.js';
import type { WireRequest } from './valid-requests.js';

export type EventKind = 'HTTP API' | 'REST API' | 'REST API, text';

export const EVENT_KINDS: readonly EventKind[] = ['HTTP API', 'REST API', 'REST API, text'];

export function gatewayEvent(kind: EventKind, { method, path, headers, body }: WireRequest): unknown {
  if (kind === 'HTTP API') {
    return toHttpEvent({
      method,
      target: path,
      rawHeaders: headers.flat(),
      body: Buffer.from(body),
      sourceIp: '127.0.0.1',
      routeKey: '$default',
      pathParameters: {},
      requestId: 'mutation',
      time: 0,
    });
  }
  // With binaryMediaTypes of */* a REST API sends every body as base64; without, as text whatever it is.
  const isBase64Encoded = kind === 'REST API' && body.length > 0;
  const names = [...new Set(headers.map(([name]) => name))];
  const valuesOf = (wanted: string) => headers.filter(([name]) => name === wanted).map(([, value]) => value);
  return {
    resource: '/{proxy+}',
    path,
    httpMethod: method,
    headers: Object.fromEntries(names.map((name) => [name, valuesOf(name).at(-1)])),
    multiValueHeaders: Object.fromEntries(names.map((name) => [name, valuesOf(name)])),
    queryStringParameters: null,
    multiValueQueryStringParameters: null,
    pathParameters: { proxy: path.slice(1) },
    stageVariables: null,
    requestContext: { resourcePath: '/{proxy+}', httpMethod: method, path: `/prod${path}`, stage: 'prod' },
    body: body.length === 0 ? null : Buffer.from(body).toString(isBase64Encoded ? 'base64' : 'utf8'),
    isBase64Encoded,
  };
}
