/** The place where CloudFormation waits for a custom resource's answer: a URL on loopback. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CallbackAnswer {
  readonly body: Readonly<Record<string, unknown>>;
  readonly contentType: string | undefined;
}

export interface CallbackServer {
  readonly url: string;
  readonly answers: readonly CallbackAnswer[];
  /** The statuses of the next answers; 200 afterwards. */
  readonly statuses: number[];
  close(): Promise<void>;
}

export async function startCallbackServer(): Promise<CallbackServer> {
  const answers: CallbackAnswer[] = [];
  const statuses: number[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const status = statuses.shift() ?? 200;
      if (status === 200) {
        answers.push({
          body: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>,
          contentType: request.headers['content-type'],
        });
      }
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/answer`,
    answers,
    statuses,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
