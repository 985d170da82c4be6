/** A runtime client for the local host that puts every execution environment into a sandbox: see enter.mjs. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeCommand } from '../../../lib/local/execution-environment.js';
import { NODE24 } from '../node24.js';
import { layOutRuntimeClient } from './runtime-client.js';

const CGROUPS = '/sys/fs/cgroup';
const PREFIX = 'cdk-onnx-sandbox-';
/** The folder of the npm package aws-lambda-ric. */
const RUNTIME_CLIENT = process.env.AWS_LAMBDA_RIC ?? '';

export interface SandboxOptions {
  /** MiB of /tmp. Default 512, as on Lambda. */
  readonly storageMiB?: number;
  /** Node.js 24 of another machine, and what runs it here. Default: this machine's. */
  readonly emulation?: Emulation;
  /** Another language's runtime client. Default: aws-lambda-ric on Node.js. */
  readonly client?: RuntimeClient;
}

export interface RuntimeClient {
  /** Takes the handler's name as its last argument. */
  readonly command: readonly string[];
  /** Files and folders that it wants, and where. */
  readonly files: readonly (readonly [from: string, to: string])[];
}

export interface Emulation {
  /** Path of the emulated Node.js. */
  readonly node: string;
  /** As process.arch names it. */
  readonly architecture: string;
  /** What stands in front of it. */
  readonly command: readonly string[];
  /** Files and folders that the emulator wants, and where. */
  readonly files: readonly (readonly [from: string, to: string])[];
}

/** What this machine lacks for a sandbox; empty where all is there. */
function missing(): string[] {
  const needs: [string, boolean][] = [
    ['Linux', process.platform === 'linux'],
    ['root', process.getuid?.() === 0],
    [
      'control groups of version 1',
      existsSync(join(CGROUPS, 'memory/tasks')) && existsSync(join(CGROUPS, 'cpu/tasks')),
    ],
    ['bubblewrap (Debian: apt install bubblewrap)', finds('bwrap')],
    ['ip (Debian: apt install iproute2)', finds('ip')],
    ['NODE24, the path of a Node.js 24', NODE24 !== undefined],
    ['AWS_LAMBDA_RIC, the folder of the npm package aws-lambda-ric 4', existsSync(join(RUNTIME_CLIENT, 'index.mjs'))],
  ];
  return needs.filter(([, isThere]) => !isThere).map(([name]) => name);
}

export function finds(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const lacks = missing();
/** Tests of a machine that cannot have a sandbox are skipped, or under CI=true fail at `openSandbox`. */
export const SANDBOX_SKIPPED = lacks.length > 0 && process.env.CI !== 'true';
/** For the title of a suite. */
export const SANDBOX_NOTE = SANDBOX_SKIPPED ? ` (skipped: needs ${lacks.join(', ')})` : '';

export interface Sandbox {
  readonly runtime: RuntimeCommand;
  /** Of every function's Node.js that runs in a sandbox of this process's, newest last. */
  processes(): number[];
  remove(): void;
}

/** @throws Error naming what this machine lacks */
export function openSandbox({ storageMiB = 512, emulation, client }: SandboxOptions = {}): Sandbox {
  if (lacks.length > 0) throw new Error(`skipped: needs ${lacks.join(', ')}`);
  const runtime = layOutRuntimeClient(RUNTIME_CLIENT);
  const emulator = emulation === undefined ? undefined : { command: emulation.command, files: emulation.files };
  const options = JSON.stringify({ node: emulation?.node ?? NODE24, runtime, storageMiB, emulator, client });
  removeStaleGroups();
  return {
    runtime: {
      command: process.execPath,
      arguments: [join(import.meta.dirname, 'enter.mjs'), options],
      ...(emulation === undefined ? {} : { hostArchitecture: emulation.architecture }),
    },
    processes: () => functionProcesses(),
    remove() {
      rmSync(runtime, { recursive: true, force: true });
      removeStaleGroups();
    },
  };
}

function groups(): string[] {
  return readdirSync(join(CGROUPS, 'memory')).filter((name) => name.startsWith(PREFIX));
}

/** Those whose parent is this process; other test files have sandboxes too. */
function functionProcesses(): number[] {
  return groups()
    .filter((group) => parentOf(Number(group.slice(PREFIX.length))) === process.pid)
    .flatMap((group) =>
      readFileSync(join(CGROUPS, 'memory', group, 'tasks'), 'utf8')
        .trim()
        .split('\n')
        .map(Number),
    )
    .filter((pid) => commandOf(pid).startsWith('/var/lang/bin/node'));
}

function parentOf(pid: number): number {
  const [, parent] = /^PPid:\s+(\d+)$/m.exec(read(`/proc/${pid}/status`)) ?? [];
  return Number(parent);
}

function commandOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** A killed sandbox leaves its groups' empty folders and its socket files. */
function removeStaleGroups(): void {
  for (const group of groups()) {
    if (existsSync(`/proc/${group.slice(PREFIX.length)}`)) continue;
    for (const controller of ['memory', 'cpu']) {
      try {
        rmdirSync(join(CGROUPS, controller, group));
      } catch {
        // Its last process is still on its way out.
      }
    }
    rmSync(join('/tmp', group), { recursive: true, force: true });
  }
}

/** Figures of /proc of a process, in KiB: `VmHWM` is the most memory that it held. */
export function statusOf(pid: number, field: string): number {
  const [, value] = new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(read(`/proc/${pid}/status`)) ?? [];
  return Number(value);
}

/** Packets that a process's network could not send anywhere, and datagrams it sent at all: any attempt to leave shows in one of them. */
export function egressAttempts(pid: number): { readonly noRoute: number; readonly datagrams: number } {
  const lines = read(`/proc/${pid}/net/snmp`).split('\n');
  const figure = (protocol: string, field: string) => {
    const [names, values] = lines.filter((line) => line.startsWith(`${protocol}: `)).map((line) => line.split(' '));
    return Number(values?.[names?.indexOf(field) ?? -1]);
  };
  return { noRoute: figure('Ip', 'OutNoRoutes'), datagrams: figure('Udp', 'OutDatagrams') };
}
