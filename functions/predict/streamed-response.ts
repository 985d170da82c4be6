/**
 * Answers as a stream: 200 MB in place of 6, and not as base64. Lambda's Node.js runtime brings `awslambda`; what is written first is JSON with
 * status and headers, eight NUL bytes, then the body.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { HttpResponse } from '../http/http.js';
import type { InvocationContext } from '../http/invocation-context.js';
import { checkStreamSize } from '../http/result-size.js';

interface StreamingRuntime {
  streamifyResponse(
    handler: (event: unknown, stream: Writable, context: InvocationContext | undefined) => Promise<void>,
  ): unknown;
  readonly HttpResponseStream: {
    from(
      stream: Writable,
      prelude: { readonly statusCode: number; readonly headers: HttpResponse['headers'] },
    ): Writable;
  };
}

const CHUNK_BYTES = 1024 * 1024;

/** A handler for Lambda; undefined where the runtime cannot stream. */
export function streamingHandlerOf(
  respond: (
    event: unknown,
    context: InvocationContext | undefined,
  ) => Promise<{ readonly result: HttpResponse; readonly conclude?: (isSent: boolean) => Promise<void> }>,
): unknown {
  const { awslambda } = globalThis as { readonly awslambda?: StreamingRuntime };
  return awslambda?.streamifyResponse(async (event, stream, context) => {
    const { result, conclude } = await respond(event, context);
    const { status, headers, body } = result;
    const response = awslambda.HttpResponseStream.from(stream, { statusCode: status, headers });
    for (const chunk of chunksOf(body)) {
      if (!response.write(chunk)) await once(response, 'drain');
    }
    response.end();
    await conclude?.(true);
  });
}

/** @throws RequestError `RESPONSE_TOO_LARGE` */
export function toStreamedResult(response: HttpResponse): HttpResponse {
  const { body } = response;
  const bytes =
    typeof body === 'string' ? Buffer.byteLength(body) : body.reduce((sum, { byteLength }) => sum + byteLength, 0);
  checkStreamSize(bytes);
  return response;
}

/** At least one, though empty: the runtime writes the prelude with the first. */
function* chunksOf(body: HttpResponse['body']): Generator<Buffer> {
  const pieces = typeof body === 'string' ? [Buffer.from(body)] : body;
  if (pieces.length === 0) yield Buffer.alloc(0);
  for (const { buffer, byteOffset, byteLength } of pieces) {
    let offset = 0;
    do {
      const length = Math.min(CHUNK_BYTES, byteLength - offset);
      yield Buffer.from(buffer, byteOffset + offset, length);
      offset += length;
    } while (offset < byteLength);
  }
}
