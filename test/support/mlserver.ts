/** mlserver from PyPI, a server of Open Inference Protocol V2, with an ONNX model. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** All versions, of mlserver and of what it depends on. */
export const MLSERVER = readFileSync(join(import.meta.dirname, '../conformance/requirements/mlserver.txt'), 'utf8')
  .trim()
  .split('\n');

/** Longer than any start takes on a busy machine. */
const READY_MS = 180_000;

export interface MlserverSettings {
  /** Where its settings go. */
  readonly folder: string;
  /** What requests call the model. */
  readonly name: string;
  /** Path of the ONNX file. */
  readonly model: string;
  /** Of HTTP, gRPC and metrics. */
  readonly ports: readonly [number, number, number];
}

/** What starts it: arguments for the interpreter with `MLSERVER`, and its environment. It takes one process. */
export function mlserverCommand({ folder, name, model, ports }: MlserverSettings) {
  mkdirSync(folder, { recursive: true });
  const [http_port, grpc_port, metrics_port] = ports;
  const settings = { host: '127.0.0.1', http_port, grpc_port, metrics_port, parallel_workers: 0, debug: false };
  writeFileSync(join(folder, 'settings.json'), JSON.stringify(settings));
  const parameters = { uri: model, version: '1' };
  writeFileSync(
    join(folder, 'model-settings.json'),
    JSON.stringify({ name, implementation: 'mlserver_model.OnnxModel', parameters }),
  );
  return {
    args: ['-m', 'mlserver.cli.main', 'start', folder],
    environment: { PYTHONPATH: import.meta.dirname, PYTHONDONTWRITEBYTECODE: '1' },
  };
}

export interface Mlserver {
  readonly url: string;
  close(): Promise<void>;
}

/** @throws Error with what it wrote where it ends or is not ready in time */
export async function startMlserver(
  python: string,
  model: Pick<MlserverSettings, 'name' | 'model'>,
): Promise<Mlserver> {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-mlserver-'));
  const ports = [await freePort(), await freePort(), await freePort()] as const;
  const { args, environment } = mlserverCommand({ folder, ports, ...model });
  const child = spawn(python, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: folder, ...environment },
  });
  let written = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (written += chunk));
  const url = `http://127.0.0.1:${ports[0]}`;
  const close = async () => {
    await end(child);
    rmSync(folder, { recursive: true, force: true });
  };
  const start = performance.now();
  for (;;) {
    const answer = await fetch(`${url}/v2/models/${model.name}/ready`).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.status === 200) return { url, close };
    if (child.exitCode === null && performance.now() - start < READY_MS) {
      await sleep(200);
      continue;
    }
    await close();
    throw new Error(`mlserver is not ready:\n${written}`);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Free now; between here and its use somebody else may take it, which the start then says. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
