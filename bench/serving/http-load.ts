/** Throughput and latency over HTTP on loopback: the local host with the real function, uvicorn with FastAPI, and mlserver. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { mlserverCommand } from '../../test/support/mlserver.js';
import type { SuiteContext } from '../suite.js';
import { pythonOf } from './peers.js';

const root = join(import.meta.dirname, '../..');
const SECONDS = 6;
const READY_MS = 120_000;
const PORTS = { ours: 3227, fastapi: 3228, mlserver: 3229 } as const;

export interface HttpLoadOptions {
  readonly artifact: string;
  /** For the settings of peers. */
  readonly folder: string;
}

interface Server {
  readonly name: string;
  readonly port: number;
  readonly forms: readonly Form[];
  start(): ChildProcess;
}

type Form = 'binary' | 'JSON';

/** The handler's figures bear the promise; these say what a caller on this machine sees, where the local host stands in for AWS. */
export async function httpLoad({ row, note }: SuiteContext, options: HttpLoadOptions): Promise<void> {
  for (const server of servers(options, note)) {
    const child = server.start();
    const exited = once(child, 'exit');
    try {
      await ready(server.port, child);
      for (const form of ['binary', 'JSON'] as const) {
        const subject = `${server.name}, ${form}`;
        if (!server.forms.includes(form)) {
          row({ case: 'http', subject, metric: 'throughput', value: null, unit: '1/s', note: 'no such form' });
          continue;
        }
        const alone = await load(server.port, form, 1);
        row({ case: 'http', subject, metric: 'latency p50, 1 caller', value: alone.latency.p50, unit: 'ms' });
        row({ case: 'http', subject, metric: 'latency p99, 1 caller', value: alone.latency.p99, unit: 'ms' });
        const { requests } = await load(server.port, form, 4);
        row({ case: 'http', subject, metric: 'throughput, 4 callers', value: requests.average, unit: '1/s' });
      }
    } finally {
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
      await exited;
    }
  }
}

function servers({ artifact, folder }: HttpLoadOptions, note: SuiteContext['note']): Server[] {
  const start =
    (command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}) =>
    () =>
      spawn(command, args, {
        cwd,
        // A group of its own: servers have children.
        detached: true,
        stdio: ['ignore', 'ignore', 'ignore'],
        env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      });
  const list: Server[] = [
    {
      name: 'local host',
      port: PORTS.ours,
      forms: ['binary', 'JSON'],
      start: start(process.execPath, [join(root, 'bin/cdk-onnx.mjs'), 'dev', '--port', String(PORTS.ours)], root),
    },
  ];
  const fastapi = pythonOf('fastapi', note);
  if (fastapi !== undefined) {
    const settings = ['--host', '127.0.0.1', '--port', String(PORTS.fastapi), '--no-access-log'];
    list.push({
      name: 'uvicorn + FastAPI',
      port: PORTS.fastapi,
      forms: ['binary', 'JSON'],
      start: start(fastapi, ['-m', 'uvicorn', 'fastapi_app:app', ...settings], import.meta.dirname, {
        MODEL: join(artifact, 'model.onnx'),
      }),
    });
  }
  const mlserver = pythonOf('mlserver', note);
  if (mlserver !== undefined) {
    const settings = join(folder, 'mlserver');
    const port = PORTS.mlserver;
    const model = join(artifact, 'model.onnx');
    // One process, as the others have.
    const command = mlserverCommand({ folder: settings, name: 'faces', model, ports: [port, port + 1, port + 2] });
    list.push({
      name: 'mlserver',
      port,
      // Its REST server answers 500 to binary tensors.
      forms: ['JSON'],
      start: start(mlserver, command.args, settings, command.environment),
    });
  }
  return list;
}

async function ready(port: number, child: ChildProcess): Promise<void> {
  const start = performance.now();
  while (performance.now() - start < READY_MS) {
    if (child.exitCode !== null) throw new Error(`the server on port ${port} ended with ${child.exitCode}`);
    const answer = await fetch(`http://127.0.0.1:${port}/v2/health/ready`).catch(() => undefined);
    if (answer?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the server on port ${port} was not ready within ${READY_MS / 1000} s`);
}

async function load(port: number, form: Form, connections: number) {
  const url = `http://127.0.0.1:${port}/v2/models/faces/infer`;
  const request = { url, method: 'POST', ...inferRequest(form), connections } as const;
  await autocannon({ ...request, duration: 1 });
  const result = await autocannon({ ...request, duration: SECONDS });
  const bad = result.non2xx + result.errors + result.timeouts;
  if (bad > 0) throw new Error(`${bad} requests to port ${port} failed`);
  return result;
}

function inferRequest(form: Form): { readonly headers: Record<string, string>; readonly body: Buffer } {
  const data = Float32Array.from({ length: 256 * 256 * 3 }, (_, index) => Math.fround(Math.sin(index)));
  const input = { name: 'input:0', shape: [1, 256, 256, 3], datatype: 'FP32' };
  if (form === 'JSON') {
    const body = Buffer.from(JSON.stringify({ inputs: [{ ...input, data: Array.from(data) }] }));
    return { headers: { 'content-type': 'application/json' }, body };
  }
  const document = Buffer.from(
    JSON.stringify({
      inputs: [{ ...input, parameters: { binary_data_size: data.byteLength } }],
      parameters: { binary_data_output: true },
    }),
  );
  const headers = {
    'content-type': 'application/octet-stream',
    'inference-header-content-length': String(document.length),
  };
  return { headers, body: Buffer.concat([document, Buffer.from(data.buffer)]) };
}
