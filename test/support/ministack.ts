/** MiniStack, an emulator of AWS on loopback. It runs functions with the `node` on its PATH, which is ours: see ministack-node.sh. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { NODE24 } from './node24.js';
import { requirePython } from './python.js';
import { pythonIfMade } from './python-environment.js';

/** Where functions find the AWS SDK, which on Lambda the runtime brings. */
const MODULES = join(import.meta.dirname, '..', '..', 'node_modules');

export const MINISTACK = ['ministack==1.5.33'];
export const MINISTACK_ACCOUNT = '000000000000';
export const MINISTACK_REGION = 'eu-west-1';
/** The account's root, who may do everything; MiniStack knows it by this key. */
export const MINISTACK_ROOT = { accessKeyId: 'test', secretAccessKey: 'test' } as const;
const START_MS = 30_000;

/** What this machine lacks for it; empty where all is there. Under CI=true MiniStack itself is installed by `requirePython`. */
function missing(): string[] {
  const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user'];
  const needs: [string, boolean][] = [
    ['NODE24, the path of a Node.js 24', NODE24 !== undefined],
    [
      'unshare (util-linux) and permission for a mount namespace',
      spawnSync('unshare', [...namespace, 'true']).status === 0,
    ],
    [
      `${MINISTACK} from PyPI, which CI=true installs into .cache`,
      process.env.CI === 'true' || pythonIfMade(MINISTACK) !== undefined,
    ],
  ];
  return needs.filter(([, isThere]) => !isThere).map(([name]) => name);
}

const lacks = missing();
/** Tests of a machine that cannot have it are skipped, or under CI=true fail at `openMiniStack`. */
export const MINISTACK_SKIPPED = lacks.length > 0 && process.env.CI !== 'true';
/** For the title of a suite. */
export const MINISTACK_NOTE = MINISTACK_SKIPPED ? ` (skipped: needs ${lacks.join(', ')})` : '';

export interface MiniStackOptions {
  /**
   * Whether policies decide who may do what. Default true. Its evaluation of `lambda:DeleteFunction` and its like knows no qualifier in
   * the query, so that a policy on versions, `<function>:*`, allows nothing.
   */
  readonly policies?: boolean;
}

/** MiniStack with functions on Node.js 24. @throws Error naming what this machine lacks */
export async function openMiniStack({ policies = true }: MiniStackOptions = {}): Promise<MiniStack> {
  const refuse = (note: string) => {
    throw new Error(note);
  };
  if (lacks.length > 0 || NODE24 === undefined) return refuse(`skipped: needs ${lacks.join(', ')}`);
  return startMiniStack(requirePython(MINISTACK, refuse), NODE24, policies);
}

export interface RunningFunction {
  /** Path of the script that MiniStack made for it; its folder bears the function's name. */
  readonly script: string;
  /** Path of its Node.js. */
  readonly node: string;
  /** What is in its /opt. */
  readonly opt: readonly string[];
}

export interface MiniStack {
  readonly endpoint: string;
  /** What it and its functions wrote. */
  log(): string;
  /** The processes of functions that run now. */
  functions(): RunningFunction[];
  /** A call of a service that takes form parameters; the answer is XML. @throws Error for an answer that is no success */
  query(service: string, action: string, parameters?: Readonly<Record<string, string>>): Promise<string>;
  /** Puts an object into S3 by its path, `/bucket/key`, or makes a bucket, `/bucket`. @throws Error */
  put(path: string, body: string | Uint8Array): Promise<void>;
  /** Deletes what a path of S3 names: an object, or with `?policy` a bucket's policy. @throws Error */
  remove(path: string): Promise<void>;
  /** Ends it and its functions, and removes all that it holds. */
  stop(): Promise<void>;
}

async function startMiniStack(python: string, node: string, policies: boolean): Promise<MiniStack> {
  const port = await freePort();
  const home = mkdtempSync(join(tmpdir(), 'cdk-onnx-ministack-'));
  const endpoint = `http://127.0.0.1:${port}`;
  const output: string[] = [];
  const programs = join(home, 'bin');
  mkdirSync(programs);
  symlinkSync(join(import.meta.dirname, 'ministack-node.sh'), join(programs, 'node'));
  const child = spawn(python, ['-m', 'ministack'], {
    cwd: home,
    env: {
      PATH: [programs, process.env.PATH].join(delimiter),
      HOME: home,
      TMPDIR: home,
      CDK_ONNX_TEST_NODE: node,
      CDK_ONNX_TEST_MODULES: MODULES,
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      MINISTACK_HOST: 'localhost',
      AUTH: String(policies),
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
    `AWS4-HMAC-SHA256 Credential=${MINISTACK_ROOT.accessKeyId}/20260101/${MINISTACK_REGION}/${service}/aws4_request, SignedHeaders=host, Signature=0`;
  const send = async (path: string, init: RequestInit & { readonly headers: Record<string, string> }) => {
    const response = await fetch(`${endpoint}${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status}: ${text}`);
    return text;
  };
  return {
    endpoint,
    log: () => output.join(''),
    functions: () => runningFunctions(home),
    query: (service, action, parameters = {}) =>
      send('/', {
        method: 'POST',
        headers: { authorization: scope(service) },
        body: new URLSearchParams({ Action: action, ...parameters }),
      }),
    put: async (path, body) => {
      await send(path, { method: 'PUT', headers: { authorization: scope('s3') }, body: Buffer.from(body) });
    },
    remove: async (path) => {
      await send(path, { method: 'DELETE', headers: { authorization: scope('s3') } });
    },
    stop,
  };
}

function runningFunctions(home: string): RunningFunction[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const [node = '', script = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      // `root` is what the process sees, with its own mounts.
      return script.startsWith(home) ? [{ script, node, opt: readdirSync(`/proc/${pid}/root/opt`) }] : [];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
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
