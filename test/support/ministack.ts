/** MiniStack, an emulator of AWS on loopback. It runs functions with the `node` on its PATH and knows no permissions. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

export const MINISTACK = ['ministack==1.5.33'];
export const MINISTACK_ACCOUNT = '000000000000';
export const MINISTACK_REGION = 'eu-west-1';
const START_MS = 30_000;

export interface MiniStack {
  readonly endpoint: string;
  /** What it and its functions wrote. */
  log(): string;
  /** A call of a service that takes form parameters; the answer is XML. @throws Error for an answer that is no success */
  query(service: string, action: string, parameters?: Readonly<Record<string, string>>): Promise<string>;
  /** Puts an object into S3 by its path, `/bucket/key`, or makes a bucket, `/bucket`. @throws Error */
  put(path: string, body: string | Uint8Array): Promise<void>;
  stop(): Promise<void>;
}

/** @param options.node the Node.js that runs functions; `modules` is where they find the AWS SDK, which on Lambda the runtime brings */
export async function startMiniStack(
  python: string,
  options: { readonly node: string; readonly modules: string },
): Promise<MiniStack> {
  const port = await freePort();
  const home = mkdtempSync(join(tmpdir(), 'cdk-onnx-ministack-'));
  const endpoint = `http://127.0.0.1:${port}`;
  const output: string[] = [];
  const child = spawn(python, ['-m', 'ministack'], {
    cwd: home,
    env: {
      PATH: [dirname(options.node), process.env.PATH].join(delimiter),
      HOME: home,
      TMPDIR: home,
      NODE_PATH: options.modules,
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      MINISTACK_HOST: '127.0.0.1',
      LAMBDA_EXECUTOR: 'local',
    },
  });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(String(chunk)));
  const stop = () => end(child).then(() => rmSync(home, { recursive: true, force: true }));
  try {
    await untilReady(endpoint, child);
  } catch (error) {
    await stop();
    throw new Error(`MiniStack did not start: ${output.join('')}`, { cause: error });
  }
  const scope = (service: string) =>
    `AWS4-HMAC-SHA256 Credential=test/20260101/${MINISTACK_REGION}/${service}/aws4_request, SignedHeaders=host, Signature=0`;
  const send = async (path: string, init: RequestInit & { readonly headers: Record<string, string> }) => {
    const response = await fetch(`${endpoint}${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status}: ${text}`);
    return text;
  };
  return {
    endpoint,
    log: () => output.join(''),
    query: (service, action, parameters = {}) =>
      send('/', {
        method: 'POST',
        headers: { authorization: scope(service) },
        body: new URLSearchParams({ Action: action, ...parameters }),
      }),
    put: async (path, body) => {
      await send(path, { method: 'PUT', headers: { authorization: scope('s3') }, body: Buffer.from(body) });
    },
    stop,
  };
}

async function untilReady(endpoint: string, child: ChildProcess): Promise<void> {
  for (const start = performance.now(); performance.now() - start < START_MS; ) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    const response = await fetch(`${endpoint}/_ministack/health`).catch(() => undefined);
    if (response?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('no answer in time');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(timer);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
