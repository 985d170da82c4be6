/**
 * API Gateway's side of a REST API's Lambda proxy integration.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */
import { commonLogTime, type ReceivedRequest } from './http-event.js';
import { LOCAL_ACCOUNT } from './intrinsics.js';
import type { RestRoute } from './rest-api-routes.js';

export interface RestEvent {
  readonly resource: string;
  readonly path: string;
  readonly httpMethod: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly multiValueHeaders: Readonly<Record<string, readonly string[]>>;
  readonly queryStringParameters: Readonly<Record<string, string>> | null;
  readonly multiValueQueryStringParameters: Readonly<Record<string, readonly string[]>> | null;
  readonly pathParameters: Readonly<Record<string, string>> | null;
  readonly stageVariables: null;
  readonly requestContext: Readonly<Record<string, unknown>>;
  readonly body: string | null;
  readonly isBase64Encoded: boolean;
}

export function toRestEvent(request: ReceivedRequest, route: RestRoute): RestEvent {
  const mark = request.target.indexOf('?');
  const path = mark < 0 ? request.target : request.target.slice(0, mark);
  const query = groupValues(mark < 0 ? [] : [...new URLSearchParams(request.target.slice(mark + 1))]);
  const headers = groupValues(headerPairs(request.rawHeaders));
  const header = (name: string) =>
    Object.entries(headers)
      .find(([key]) => key.toLowerCase() === name)?.[1]
      .at(-1);
  const host = header('host') ?? 'localhost';
  const multiValueHeaders = {
    ...headers,
    'X-Forwarded-For': [request.sourceIp],
    'X-Forwarded-Port': [host.split(':')[1] ?? '80'],
    'X-Forwarded-Proto': ['http'],
  };
  const isBase64Encoded = request.body.length > 0 && isBinary(header('content-type'), route.binaryMediaTypes);
  return {
    resource: route.resource,
    path,
    httpMethod: request.method,
    headers: lastValues(multiValueHeaders),
    multiValueHeaders,
    queryStringParameters: orNull(lastValues(query)),
    multiValueQueryStringParameters: orNull(query),
    pathParameters: orNull(request.pathParameters),
    stageVariables: null,
    requestContext: {
      accountId: LOCAL_ACCOUNT,
      apiId: 'local',
      domainName: host,
      domainPrefix: host.split('.')[0],
      httpMethod: request.method,
      identity: {
        sourceIp: request.sourceIp,
        userAgent: header('user-agent') ?? null,
        apiKey: header('x-api-key') ?? null,
      },
      path: `/${route.stage}${path}`,
      protocol: 'HTTP/1.1',
      requestId: request.requestId,
      requestTime: commonLogTime(request.time),
      requestTimeEpoch: request.time,
      resourcePath: route.resource,
      stage: route.stage,
    },
    body: request.body.length === 0 ? null : request.body.toString(isBase64Encoded ? 'base64' : 'utf8'),
    isBase64Encoded,
  };
}

/** Whether a type is among those that an API takes for binary; no type is JSON. */
export function isBinary(contentType: string | undefined, binaryMediaTypes: readonly string[]): boolean {
  const [type = ''] = (contentType ?? 'application/json').split(/[;,]/);
  const [group, kind] = type.trim().toLowerCase().split('/');
  return binaryMediaTypes.some((binary) => {
    const [binaryGroup, binaryKind] = binary.toLowerCase().split('/');
    return (binaryGroup === '*' || binaryGroup === group) && (binaryKind === '*' || binaryKind === kind);
  });
}

function headerPairs(rawHeaders: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    pairs.push([String(rawHeaders[index]), String(rawHeaders[index + 1])]);
  }
  return pairs;
}

/** Names as they were sent, each with all of its values. */
function groupValues(pairs: readonly (readonly [string, string])[]): Record<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [name, value] of pairs) groups.set(name, [...(groups.get(name) ?? []), value]);
  return Object.fromEntries(groups);
}

function lastValues(groups: Readonly<Record<string, readonly string[]>>): Record<string, string> {
  return Object.fromEntries(Object.entries(groups).map(([name, values]) => [name, values.at(-1) ?? '']));
}

function orNull<Group extends object>(group: Group): Group | null {
  return Object.keys(group).length === 0 ? null : group;
}
