/** A request as API Gateway's HTTP APIs hand it to a function (payload format 2.0): what the function's own code understands. */
import { randomUUID } from 'node:crypto';
import { ConfigurationError } from '../../errors.js';
import { encodeTensor } from '../../protocol/infer-response.js';
import type { NamedTensor } from '../../protocol/tensor.js';

/** Of an event: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const MAX_EVENT_BYTES = 6 * 1024 * 1024;

export interface EventRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** As JSON. @throws ConfigurationError BENCHMARK_REQUEST_TOO_LARGE for more than Lambda takes */
export function httpApiEvent({ method, path, headers = {}, body }: EventRequest): string {
  const time = Date.now();
  const event = JSON.stringify({
    version: '2.0',
    routeKey: `${method} ${path}`,
    rawPath: path,
    rawQueryString: '',
    headers,
    requestContext: {
      accountId: 'anonymous',
      apiId: 'benchmark',
      domainName: 'benchmark',
      domainPrefix: 'benchmark',
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'cdk-onnx benchmark' },
      requestId: randomUUID(),
      routeKey: `${method} ${path}`,
      stage: '$default',
      time: new Date(time).toISOString(),
      timeEpoch: time,
    },
    ...(body === undefined ? {} : { body: Buffer.from(body).toString('base64') }),
    isBase64Encoded: body !== undefined,
  });
  if (event.length <= MAX_EVENT_BYTES) return event;
  throw new ConfigurationError({
    code: 'BENCHMARK_REQUEST_TOO_LARGE',
    message: `One request takes ${event.length} bytes, and Lambda takes ${MAX_EVENT_BYTES}.`,
    advice: 'Give smaller samples with --data; an endpoint cannot be asked more either.',
  });
}

/** `POST /v2/models/{model}/infer` with binary tensors, outputs in binary too: the form that costs the function least. */
export function inferEvent(model: string, inputs: readonly NamedTensor[]): string {
  const encoded = inputs.map((input) => encodeTensor(input, 'binary'));
  const document = Buffer.from(
    `{"parameters":{"binary_data_output":true},"inputs":[${encoded.map(({ text }) => text).join(',')}]}`,
  );
  const binary = encoded.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes]));
  return httpApiEvent({
    method: 'POST',
    path: `/v2/models/${encodeURIComponent(model)}/infer`,
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(document.byteLength),
    },
    body: Buffer.concat([document, ...binary]),
  });
}
