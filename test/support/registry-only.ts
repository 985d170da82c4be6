/** Commands that can reach the npm registry and nothing else: a network namespace with a bridge to a gateway in this process. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';

export interface CommandResult {
  readonly code: number | null;
  /** stdout and stderr. */
  readonly output: string;
}

export interface RegistryOnly {
  /** What was asked of the registry, as `GET /path`. */
  readonly requests: readonly string[];
  run(
    command: string,
    args: readonly string[],
    options: { cwd: string; env: NodeJS.ProcessEnv },
  ): Promise<CommandResult>;
  close(): void;
}

/** Empty where this machine can make network namespaces, else what a skipped test is to say. */
export function missingForRegistryOnly(): string {
  const made = spawnSync('unshare', ['--net', 'ip', 'link', 'set', 'lo', 'up']);
  return made.status === 0 ? '' : 'skipped: needs root, unshare (util-linux) and ip (iproute2)';
}

/** @param socket path of the socket to make, at most 107 bytes */
export async function registryOnly(socket: string): Promise<RegistryOnly> {
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    forward(registry, request, response).catch(() => response.destroy());
  });
  server.listen(socket);
  await once(server, 'listening');
  return {
    requests,
    run: (command, args, { cwd, env }) => {
      const bridge = [join(import.meta.dirname, 'registry-bridge.mjs'), socket, command, ...args];
      return finished(spawn('unshare', ['--net', process.execPath, ...bridge], { cwd, env }));
    },
    close: () => server.close(),
  };
}

/** Runs a command to its end with what it printed. */
export async function finished(child: ChildProcess): Promise<CommandResult> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

async function forward(registry: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const target = new URL(`.${request.url ?? '/'}`, registry);
  if (request.method !== 'GET') {
    response.writeHead(405).end();
    return;
  }
  const answer = await fetch(target, { headers: { accept: request.headers.accept ?? '*/*' } });
  const headers: Record<string, string> = {};
  for (const name of ['content-type', 'etag', 'cache-control']) {
    const value = answer.headers.get(name);
    if (value !== null) headers[name] = value;
  }
  response.writeHead(answer.status, headers);
  if (answer.body === null) response.end();
  else await pipeline(Readable.fromWeb(answer.body as ReadableStream), response);
}
