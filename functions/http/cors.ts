/**
 * Headers that let a web page read an answer. A REST API adds none to what a function answers, so its function is told whom to name; an HTTP API
 * has no need of it. https://fetch.spec.whatwg.org/#http-cors-protocol
 */
import type { HttpResponse } from './http.js';

interface CorsPolicy {
  readonly allowOrigins: readonly string[];
  readonly allowCredentials: boolean;
  readonly exposeHeaders: readonly string[];
}

const ANY = '*';

/** The response with what the variable CDK_ONNX_CORS says of the origin that asks; as it is where the variable is not set. */
export function withCorsHeaders(
  response: HttpResponse,
  event: unknown,
  variables: Readonly<Record<string, string | undefined>>,
): HttpResponse {
  const { CDK_ONNX_CORS: variable } = variables;
  if (variable === undefined) return response;
  const { allowOrigins, allowCredentials, exposeHeaders } = JSON.parse(variable) as CorsPolicy;
  const isOpen = allowOrigins.includes(ANY);
  const asking = originOf(event);
  const origin = isOpen ? ANY : allowOrigins.find((allowed) => allowed === asking);
  return {
    ...response,
    headers: {
      ...response.headers,
      ...(isOpen ? {} : { vary: 'Origin' }),
      ...(origin === undefined ? {} : { 'access-control-allow-origin': origin }),
      ...(origin !== undefined && allowCredentials ? { 'access-control-allow-credentials': 'true' } : {}),
      ...(origin !== undefined && exposeHeaders.length > 0
        ? { 'access-control-expose-headers': exposeHeaders.join(',') }
        : {}),
    },
  };
}

function originOf(event: unknown): string | undefined {
  const { headers } = (event ?? {}) as { readonly headers?: Readonly<Record<string, unknown>> | null };
  const [, origin] = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === 'origin') ?? [];
  return typeof origin === 'string' ? origin : undefined;
}
