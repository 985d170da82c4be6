/**
 * Cross-origin requests as an HTTP API treats them: it answers preflights itself, whatever the routes are, and replaces what a function
 * says of CORS by what its configuration says. https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
 */
import type { IncomingHttpHeaders } from 'node:http';
import { record } from './cloud-assembly.js';
import type { HttpAnswer } from './http-answer.js';

export interface CorsConfiguration {
  /** Origins; `*`, `https://*` and `http://*` stand for many. */
  readonly allowOrigins: readonly string[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly allowCredentials: boolean;
  /** How long a browser may remember a preflight's answer. */
  readonly maxAgeSeconds: number | undefined;
}

/** @param properties of `AWS::ApiGatewayV2::Api`, evaluated; undefined without a configuration */
export function readCorsConfiguration(properties: unknown): CorsConfiguration | undefined {
  const configuration = record(properties).CorsConfiguration;
  if (configuration === undefined) return undefined;
  const { AllowOrigins, AllowMethods, AllowHeaders, ExposeHeaders, AllowCredentials, MaxAge } = record(configuration);
  return {
    allowOrigins: texts(AllowOrigins),
    allowMethods: texts(AllowMethods),
    allowHeaders: texts(AllowHeaders),
    exposeHeaders: texts(ExposeHeaders),
    allowCredentials: AllowCredentials === true || AllowCredentials === 'true',
    maxAgeSeconds: MaxAge === undefined ? undefined : Number(MaxAge),
  };
}

/** Whether a request only asks for permission. */
export function isPreflight(method: string, headers: IncomingHttpHeaders): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
}

export function preflightAnswer(cors: CorsConfiguration, origin: string | undefined): HttpAnswer {
  const { allowMethods, allowHeaders, maxAgeSeconds } = cors;
  const allowed = originHeaders(cors, origin);
  // An origin that is not allowed learns nothing more.
  const details =
    allowed === undefined
      ? {}
      : {
          ...(allowMethods.length === 0 ? {} : { 'access-control-allow-methods': allowMethods.join(',') }),
          ...(allowHeaders.length === 0 ? {} : { 'access-control-allow-headers': allowHeaders.join(',') }),
          ...(maxAgeSeconds === undefined ? {} : { 'access-control-max-age': String(maxAgeSeconds) }),
        };
  return { status: 204, headers: { ...allowed, ...details }, body: Buffer.alloc(0) };
}

/** A function's answer, with the configuration's headers in place of its own. */
export function withCors(answer: HttpAnswer, cors: CorsConfiguration, origin: string | undefined): HttpAnswer {
  const own = Object.entries(answer.headers).filter(([name]) => !name.startsWith('access-control-'));
  const allowed = originHeaders(cors, origin);
  const exposed =
    allowed === undefined || cors.exposeHeaders.length === 0
      ? {}
      : { 'access-control-expose-headers': cors.exposeHeaders.join(',') };
  return { ...answer, headers: { ...Object.fromEntries(own), ...allowed, ...exposed } };
}

/** Undefined for a request without an origin, and for an origin that is not allowed. */
function originHeaders(
  { allowOrigins, allowCredentials }: CorsConfiguration,
  origin: string | undefined,
): Record<string, string> | undefined {
  if (origin === undefined) return undefined;
  const match = allowOrigins.find((allowed) => matches(allowed, origin));
  if (match === undefined) return undefined;
  return {
    'access-control-allow-origin': match === '*' ? '*' : origin,
    ...(allowCredentials ? { 'access-control-allow-credentials': 'true' } : {}),
  };
}

/** Of `https://*` the scheme counts; any other origin must be the same. */
function matches(allowed: string, origin: string): boolean {
  if (allowed === '*') return true;
  return allowed.endsWith('://*') ? origin.startsWith(allowed.slice(0, -1)) : allowed === origin;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
