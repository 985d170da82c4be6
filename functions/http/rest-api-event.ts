/**
 * API Gateway's REST APIs, Lambda proxy integration: events without a version or of version 1.0. Results are as an HTTP API's.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */
import type { APIGatewayProxyEvent } from 'aws-lambda';
import { arrival, type HttpRequest } from './http.js';

/** Whether an event is of this kind; anything may invoke a function. */
export function isRestApiEvent(event: unknown): event is APIGatewayProxyEvent {
  const { path, httpMethod, headers, multiValueHeaders, body, requestContext } = (event ??
    {}) as Partial<APIGatewayProxyEvent>;
  return (
    typeof path === 'string' &&
    typeof httpMethod === 'string' &&
    // null where the console's test button sends no header.
    (headers === null || typeof headers === 'object') &&
    (multiValueHeaders === undefined || typeof multiValueHeaders === 'object') &&
    (body === undefined || body === null || typeof body === 'string') &&
    typeof requestContext === 'object' &&
    requestContext !== null
  );
}

export function fromRestApiEvent(event: APIGatewayProxyEvent): HttpRequest {
  const { httpMethod, body, isBase64Encoded, requestContext } = event;
  const path = withoutBasePath(event);
  const whole: unknown = requestContext.path;
  return {
    method: httpMethod,
    path,
    basePath: typeof whole === 'string' && whole.endsWith(path) ? whole.slice(0, whole.length - path.length) : '',
    headers: lowerCaseHeaders(event),
    body: { content: body ?? '', isBase64: isBase64Encoded === true },
    ...arrival(requestContext.requestId, requestContext.requestTimeEpoch),
  };
}

/** The stage is in no path but the context's; what a custom domain maps to the API stands before the resource. */
function withoutBasePath({ path, resource, pathParameters }: APIGatewayProxyEvent): string {
  if (typeof resource !== 'string') return path;
  const own = resource.replaceAll(/\{([^{}+]+)\+?\}/g, (_, name: string) => pathParameters?.[name] ?? '');
  return own.startsWith('/') && path.endsWith(own) ? own : path;
}

/** Names come as the caller wrote them; repeated values are joined as HTTP APIs join them. */
function lowerCaseHeaders({ headers, multiValueHeaders }: APIGatewayProxyEvent): Record<string, string | undefined> {
  const joined: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (typeof value === 'string') joined[name.toLowerCase()] = value;
  }
  for (const [name, values] of Object.entries(multiValueHeaders ?? {})) {
    if (Array.isArray(values)) joined[name.toLowerCase()] = values.join(',');
  }
  return joined;
}
