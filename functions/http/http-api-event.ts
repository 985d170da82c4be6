/**
 * API Gateway's HTTP APIs, payload format 2.0.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { arrival, type HttpRequest, type HttpResponse } from './http.js';
import { checkResultSize, resultBytes } from './result-size.js';

/** Whether an event is of this kind; anything may invoke a function. */
export function isHttpApiEvent(event: unknown): event is APIGatewayProxyEventV2 {
  const { version, rawPath, headers, body, requestContext } = (event ?? {}) as Partial<APIGatewayProxyEventV2>;
  return (
    version === '2.0' &&
    typeof rawPath === 'string' &&
    isTexts(headers) &&
    (body === undefined || body === null || typeof body === 'string') &&
    typeof requestContext?.http?.method === 'string'
  );
}

function isTexts(headers: unknown): boolean {
  return (
    typeof headers === 'object' &&
    headers !== null &&
    Object.values(headers).every((value) => typeof value === 'string')
  );
}

export function fromHttpApiEvent(event: APIGatewayProxyEventV2): HttpRequest {
  const { rawPath, headers, body, isBase64Encoded, requestContext } = event;
  const path = withoutStage(rawPath, requestContext.stage);
  return {
    method: requestContext.http.method,
    path,
    basePath: rawPath.slice(0, rawPath.length - path.length),
    headers,
    body: { content: body ?? '', isBase64: isBase64Encoded === true },
    ...arrival(requestContext.requestId, requestContext.timeEpoch),
  };
}

/** A stage with a name is the first segment of the path, unless a custom domain maps it away. */
function withoutStage(path: string, stage: string | undefined): string {
  if (stage === undefined || stage === '$default') return path;
  return path.startsWith(`/${stage}/`) ? path.slice(stage.length + 1) : path;
}

/** @throws RequestError `RESPONSE_TOO_LARGE`: Lambda would drop the result and the caller see a bare 500 */
export function toHttpApiResult({ status, headers, body }: HttpResponse): APIGatewayProxyStructuredResultV2 {
  const result =
    typeof body === 'string'
      ? { statusCode: status, headers, body, isBase64Encoded: false }
      : { statusCode: status, headers, body: encodeBase64(body), isBase64Encoded: true };
  checkResultSize(result.body.length);
  checkResultSize(resultBytes(result));
  return result;
}

function encodeBase64(pieces: readonly Uint8Array[]): string {
  const bytes = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  checkResultSize(Math.ceil(bytes / 3) * 4);
  return Buffer.concat(pieces, bytes).toString('base64');
}
