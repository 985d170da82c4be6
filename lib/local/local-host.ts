/** Serves a synthesized cloud assembly on this machine: API Gateway and Lambda's Invoke API in small, on one port. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError } from '../errors.js';
import { readCloudAssembly } from './cloud-assembly.js';
import { builtInRuntime, type RuntimeCommand } from './execution-environment.js';
import { FunctionPool } from './function-pool.js';
import { DEFAULT_REGION } from './intrinsics.js';
import { type LocalS3, startLocalS3 } from './local-s3.js';
import { type LocalFunction, type LocalRoute, type LocalService, readLocalService } from './local-stack.js';
import { chooseRuntime, layOutOptFolder } from './opt-folder.js';
import { readableLines } from './readable-line.js';
import { RouteTable } from './route-table.js';
import { serveRequest } from './serve-request.js';

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
  const hostArchitecture = options.runtime?.hostArchitecture ?? process.arch;
  const runtimes = service.functions.flatMap((localFunction) => {
    const replaceRuntime = decideRuntime(localFunction, { hostArchitecture, routes: service.routes, log });
    return replaceRuntime === undefined ? [] : [{ localFunction, replaceRuntime }];
  });

  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-local-'));
  const pools = new Map<LocalFunction, FunctionPool>();
  const optFolders = new Map<LocalFunction, string>();
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  const table = new RouteTable(service.routes);
  const server = createServer((request, response) => {
    serveRequest(request, response, { table, pools, region, log }).catch((error: unknown) => {
      log(`internal error: ${error instanceof Error ? error.stack : String(error)}`);
      response.destroy();
    });
  });
  const portOf = () => (server.address() as AddressInfo).port;
  let s3: LocalS3 | undefined;
  try {
    const objects = new Map(service.functions.flatMap((localFunction) => [...localFunction.objects]));
    if (objects.size > 0) s3 = await startLocalS3(objects);
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
        s3Url: localFunction.objects.size > 0 ? s3?.url : undefined,
        awsUrl: localFunction.invokes.length > 0 ? () => `http://127.0.0.1:${portOf()}` : undefined,
        runtime: options.runtime ?? builtInRuntime(localFunction.memoryMiB),
        maxConcurrency,
        initLimitMs: options.initLimitMs ?? DEFAULT_INIT_LIMIT_MS,
        onLine: (line) => {
          for (const part of readableLines(line)) log(`${localFunction.label} | ${part}`);
        },
      });
      pools.set(localFunction, pool);
    }
    await listen(server, port);
  } catch (error) {
    s3?.close();
    removeFolder();
    throw error;
  }

  const close = async () => {
    server.close();
    await Promise.all([...pools.values()].map((pool) => pool.close()));
    server.closeAllConnections();
    s3?.close();
    removeFolder();
  };
  let closing: Promise<void> | undefined;
  return {
    url: `http://localhost:${portOf()}`,
    service,
    optFolder: (localFunction) => optFolders.get(localFunction) ?? folder,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

interface RuntimeDecision {
  /** As process.arch names it. */
  readonly hostArchitecture: string;
  readonly routes: readonly LocalRoute[];
  readonly log: (line: string) => void;
}

/** Whether the installed onnxruntime takes the place of the layer's; undefined for a function that cannot run here and that no route needs. */
function decideRuntime(
  localFunction: LocalFunction,
  { hostArchitecture, routes, log }: RuntimeDecision,
): boolean | undefined {
  const choice = chooseRuntime(process.platform, hostArchitecture, localFunction.architecture);
  if (choice.kind !== 'layer') log(`${localFunction.label}: ${choice.reason}`);
  if (choice.kind !== 'impossible') return choice.kind === 'installed';
  const isNeeded = routes.some(
    (route) => route.function === localFunction || route.function.invokes.includes(localFunction.arn),
  );
  if (!isNeeded) return undefined;
  throw new ConfigurationError({
    code: 'ARCHITECTURE_MISMATCH',
    message: `${localFunction.id} cannot run here: ${choice.reason}.`,
    advice:
      'Run `cdk-onnx dev` without --assembly, which synthesizes for this host; an app that sets `architecture` itself should take ' +
      "it from the context: this.node.tryGetContext('architecture').",
  });
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
