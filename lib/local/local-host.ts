/** Serves a synthesized cloud assembly on this machine: API Gateway and Lambda in small. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError } from '../errors.js';
import { readCloudAssembly } from './cloud-assembly.js';
import { builtInRuntime, type RuntimeCommand } from './execution-environment.js';
import { FunctionPool, type PoolInvocation } from './function-pool.js';
import { gatewayAnswer, type HttpAnswer, toHttpAnswer } from './http-answer.js';
import { toHttpEvent } from './http-event.js';
import { DEFAULT_REGION } from './intrinsics.js';
import { type LocalFunction, type LocalRoute, type LocalService, readLocalService } from './local-stack.js';
import { chooseRuntime, layOutOptFolder } from './opt-folder.js';
import { RouteTable } from './route-table.js';

/** What an HTTP API takes of a request's body. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;
/** What Lambda takes of an event, synchronously invoked. */
const MAX_EVENT_BYTES = 6 * 1024 * 1024;
const DEFAULT_PORT = 3000;
const DEFAULT_MAX_CONCURRENCY = 10;
const DEFAULT_INIT_LIMIT_MS = 10_000;

export interface LocalHostOptions {
  /** The folder that `cdk synth` wrote. */
  readonly assembly: string;
  /** Default 3000; 0 takes any free one. */
  readonly port?: number;
  /** Execution environments per function. Default 10. */
  readonly maxConcurrency?: number;
  /** How long initialization may take before it is started once more, in ms. Default 10,000, as on Lambda. */
  readonly initLimitMs?: number;
  /** Where the functions believe to be. Default: AWS_REGION, else us-east-1. */
  readonly region?: string;
  /** The runtime client in each environment. Default: the one of this package, on the Node.js that runs this. */
  readonly runtime?: RuntimeCommand;
  /** One line of log. Default: nowhere. */
  readonly log?: (line: string) => void;
}

export interface LocalHost {
  /** `http://localhost:3000` */
  readonly url: string;
  readonly service: LocalService;
  /** The folder that stands in for /opt of a function. */
  optFolder(localFunction: LocalFunction): string;
  /** Stops accepting, kills every environment and removes the temporary folders. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Starts serving. Nothing of a function runs before its first request, as on Lambda.
 *
 * @throws ConfigurationError `ASSEMBLY_NOT_FOUND`, `PORT_IN_USE`, `ARCHITECTURE_MISMATCH` and what `readLocalService` throws
 */
export async function startLocalHost(options: LocalHostOptions): Promise<LocalHost> {
  const { log = () => undefined, port = DEFAULT_PORT, maxConcurrency = DEFAULT_MAX_CONCURRENCY } = options;
  const region = options.region ?? process.env.AWS_REGION ?? DEFAULT_REGION;
  const service = readLocalService(readCloudAssembly(options.assembly), region);
  for (const warning of service.warnings) log(`warning: ${warning}`);
  const runtimes = service.functions.map((localFunction) => ({
    localFunction,
    replaceRuntime: decideRuntime(localFunction, log),
  }));

  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-local-'));
  const pools = new Map<LocalFunction, FunctionPool>();
  const optFolders = new Map<LocalFunction, string>();
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  let server: Server;
  try {
    for (const [index, { localFunction, replaceRuntime }] of runtimes.entries()) {
      const optFolder = join(folder, `opt-${index}`);
      layOutOptFolder({ layerFolders: localFunction.layerFolders, target: optFolder, replaceRuntime });
      optFolders.set(localFunction, optFolder);
      const pool = new FunctionPool({
        function: localFunction,
        optFolder,
        temporaryFolder: join(folder, `tmp-${index}`),
        region,
        host: process.env,
        runtime: options.runtime ?? builtInRuntime(localFunction.memoryMiB),
        maxConcurrency,
        initLimitMs: options.initLimitMs ?? DEFAULT_INIT_LIMIT_MS,
        onLine: (line) => log(`${localFunction.label} | ${line}`),
      });
      pools.set(localFunction, pool);
    }
    const table = new RouteTable(service.routes);
    server = createServer((request, response) => {
      serve(request, response, table, pools, log).catch((error: unknown) => {
        log(`internal error: ${error instanceof Error ? error.stack : String(error)}`);
        response.destroy();
      });
    });
    await listen(server, port);
  } catch (error) {
    removeFolder();
    throw error;
  }

  const close = async () => {
    server.close();
    await Promise.all([...pools.values()].map((pool) => pool.close()));
    server.closeAllConnections();
    removeFolder();
  };
  let closing: Promise<void> | undefined;
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    service,
    optFolder: (localFunction) => optFolders.get(localFunction) ?? folder,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

function decideRuntime(localFunction: LocalFunction, log: (line: string) => void): boolean {
  const choice = chooseRuntime(process.platform, process.arch, localFunction.architecture);
  if (choice.kind === 'installed') log(`${localFunction.label}: ${choice.reason}`);
  if (choice.kind !== 'impossible') return choice.kind === 'installed';
  throw new ConfigurationError({
    code: 'ARCHITECTURE_MISMATCH',
    message: `${localFunction.id} cannot run here: ${choice.reason}.`,
    advice:
      'Run `cdk-onnx dev` without --assembly, which synthesizes for this host; an app that sets `architecture` itself should take ' +
      "it from the context: this.node.tryGetContext('architecture').",
  });
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  table: RouteTable,
  pools: ReadonlyMap<LocalFunction, FunctionPool>,
  log: (line: string) => void,
): Promise<void> {
  const method = request.method ?? 'GET';
  const target = request.url ?? '/';
  const send = (answer: HttpAnswer, detail: string) => {
    log(`${method} ${target} ${answer.status} ${detail}`);
    response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
    response.end(method === 'HEAD' ? undefined : answer.body);
  };

  const match = table.match(method, target.split('?')[0] ?? target);
  if (match === undefined) {
    request.resume();
    return send(gatewayAnswer(404, 'Not Found'), '(no route)');
  }
  const body = await readBody(request);
  if (body === undefined) {
    response.setHeader('connection', 'close');
    return send(gatewayAnswer(413, 'Request Entity Too Large'), `(body above ${MAX_BODY_BYTES} bytes)`);
  }
  const { route, pathParameters } = match;
  const requestId = randomUUID();
  const event = toHttpEvent({
    method,
    target,
    rawHeaders: request.rawHeaders,
    body,
    sourceIp: request.socket.remoteAddress ?? '127.0.0.1',
    routeKey: route.routeKey,
    pathParameters,
    requestId,
    time: Date.now(),
  });
  const payload = JSON.stringify(event);
  if (Buffer.byteLength(payload) > MAX_EVENT_BYTES) {
    return send(gatewayAnswer(413, 'Request Entity Too Large'), `(event above Lambda's ${MAX_EVENT_BYTES} bytes)`);
  }
  const pool = pools.get(route.function);
  if (pool === undefined) throw new Error(`no pool for ${route.function.id}`);

  const invocation = pool.invoke(requestId, payload);
  const timer = new AbortController();
  const result = await Promise.race([invocation, afterMs(route.timeoutMs, timer.signal)]);
  timer.abort();
  if (result === undefined) {
    // Lambda goes on with what nobody waits for any more; its end is worth a line.
    void invocation.then((late) => log(`${method} ${target} ${describe(route, late)} after the API had given up`));
    return send(gatewayAnswer(503, 'Service Unavailable'), `(no answer within ${route.timeoutMs} ms)`);
  }
  const answer = result.outcome.kind === 'response' ? answerOf(result.outcome.payload) : undefined;
  send(answer ?? gatewayAnswer(500, 'Internal Server Error'), describe(route, result));
}

function answerOf(payload: string): HttpAnswer | undefined {
  try {
    return toHttpAnswer(JSON.parse(payload));
  } catch {
    return undefined;
  }
}

/** `faces#1 cold: init 412 ms, run 35 ms, 183 of 1769 MiB` */
function describe(route: LocalRoute, invocation: PoolInvocation): string {
  const { function: localFunction } = route;
  const { outcome, initMs, runMs, peakMemoryMiB } = invocation;
  const start = initMs === undefined ? 'warm:' : `cold: init ${Math.round(initMs)} ms,`;
  const memory = peakMemoryMiB === undefined ? '' : `, ${peakMemoryMiB} of ${localFunction.memoryMiB} MiB`;
  const failure =
    outcome.kind === 'response'
      ? ''
      : outcome.kind === 'timeout'
        ? `; timed out after ${localFunction.timeoutSeconds} s`
        : outcome.kind === 'error'
          ? `; ${outcome.errorType}: ${outcome.errorMessage}`
          : `; ${outcome.kind === 'exit' ? 'the environment ended' : 'init failed'}: ${outcome.reason}`;
  return `${localFunction.label}#${invocation.environment} ${start} run ${Math.round(runMs)} ms${memory}${failure}`;
}

/** A body, or undefined as soon as it is known to be too long. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function afterMs(milliseconds: number, signal: AbortSignal): Promise<undefined> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  return undefined;
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE' && cause.code !== 'EACCES') return reject(cause);
      reject(
        new ConfigurationError({
          code: cause.code === 'EACCES' ? 'PORT_FORBIDDEN' : 'PORT_IN_USE',
          message: `Port ${port} on 127.0.0.1 ${cause.code === 'EACCES' ? 'may not be used by this account' : 'is in use'}.`,
          advice: 'Choose another: `--port 3001` or PORT=3001.',
          cause,
        }),
      );
    });
    server.listen(port, '127.0.0.1', resolve);
  });
}
