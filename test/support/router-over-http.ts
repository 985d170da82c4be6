/** A router on loopback as an HTTP API has it: what comes over HTTP becomes an event, its result the answer. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toHttpEvent } from '../../lib/local/http-event.js';
import type { LoopbackFunction } from './loopback-lambda.js';
import type { FunctionResult } from './predict-function.js';

export interface RouterOverHttp {
  /** `http://127.0.0.1:…` */
  readonly url: string;
  close(): Promise<void>;
}

export async function serveRouter(router: LoopbackFunction): Promise<RouterOverHttp> {
  const server = createServer(async (request, response) => {
    const event = toHttpEvent({
      method: request.method ?? 'GET',
      target: request.url ?? '/',
      rawHeaders: request.rawHeaders,
      body: Buffer.concat(await request.toArray()),
      sourceIp: '127.0.0.1',
      routeKey: '$default',
      pathParameters: {},
      requestId: randomUUID(),
      time: Date.now(),
    });
    try {
      const { statusCode, headers, body, isBase64Encoded } = await router.invoke<FunctionResult>(event);
      response.writeHead(statusCode, headers).end(Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8'));
    } catch (error) {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
