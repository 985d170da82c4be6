/** One child process that plays an execution environment of Lambda: it serves one request at a time until it is killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { environmentVariables } from './environment-variables.js';
import type { LocalFunction } from './local-stack.js';
import { type InvocationOutcome, RuntimeApi } from './runtime-api.js';

export interface EnvironmentOptions {
  readonly function: LocalFunction;
  readonly optFolder: string;
  /** A folder of this environment alone; removed with it. */
  readonly temporaryFolder: string;
  readonly region: string;
  readonly logStream: string;
  readonly host: NodeJS.ProcessEnv;
  /** Where S3 is, for a function that may read from it. */
  readonly s3Url?: string | undefined;
  /** Where every other service is, for a function that invokes others; asked when it starts. */
  readonly awsUrl?: (() => string) | undefined;
  /** The program that loads the handler and asks the Runtime API for work. */
  readonly runtime: RuntimeCommand;
  /** Each line that the function writes. */
  readonly onLine: (line: string) => void;
}

export interface RuntimeCommand {
  readonly command: string;
  readonly arguments: readonly string[];
  /** What it runs on, as process.arch names it: an emulator runs another machine's programs. Default: this machine's. */
  readonly hostArchitecture?: string;
}

/** How initialization ended. */
export type InitOutcome =
  | { readonly kind: 'ready'; readonly milliseconds: number }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'failed'; readonly reason: string };

/** How an invocation ended; after `timeout` and `exit` the environment is gone. */
export type EnvironmentOutcome =
  | InvocationOutcome
  | { readonly kind: 'timeout' }
  | { readonly kind: 'exit'; readonly reason: string };

/** What a runtime client reports just before it exits. */
const FATAL_ERRORS = new Set(['Runtime.UncaughtException', 'Runtime.UnhandledPromiseRejection']);

/** Lambda's runtime leaves JavaScript this much of a function's memory: what wants more ends the environment. */
const HEAP_SHARE = 0.9;

/** The runtime client of this package, on the Node.js that runs it, with a heap for a function of `memoryMiB`. */
export function builtInRuntime(memoryMiB: number): RuntimeCommand {
  const name = import.meta.filename.endsWith('.ts') ? 'bootstrap.mjs' : 'bootstrap.js';
  const heap = `--max-old-space-size=${Math.floor(memoryMiB * HEAP_SHARE)}`;
  return { command: process.execPath, arguments: [heap, join(import.meta.dirname, name)] };
}

export class ExecutionEnvironment {
  private readonly api: RuntimeApi;
  private child: ChildProcess | undefined;
  private finishInit: ((outcome: InitOutcome) => void) | undefined;
  private invocation:
    | { readonly requestId: string; readonly finish: (outcome: EnvironmentOutcome) => void }
    | undefined;
  private ended = false;
  private initError: string | undefined;
  private markExited: () => void = () => undefined;
  /** Settles when the process is gone. */
  readonly exited: Promise<void>;

  constructor(private readonly options: EnvironmentOptions) {
    this.exited = new Promise((resolve) => {
      this.markExited = resolve;
    });
    this.api = new RuntimeApi({
      onReady: () => this.finishInit?.({ kind: 'ready', milliseconds: 0 }),
      onInitError: ({ errorType, errorMessage }) => {
        this.initError = `${errorType}: ${errorMessage}`;
      },
      onOutcome: (requestId, outcome) => {
        if (this.invocation?.requestId === requestId) this.finish(outcome);
      },
    });
  }

  get isAlive(): boolean {
    return !this.ended;
  }

  /** Starts the process and waits until it asks for work; kills it when that takes longer than `limitMs`. */
  async start(limitMs: number): Promise<InitOutcome> {
    const begin = performance.now();
    const runtimeApi = await this.api.listen();
    if (this.ended) {
      this.api.close();
      return { kind: 'failed', reason: 'it was stopped' };
    }
    const { function: localFunction, runtime, temporaryFolder } = this.options;
    mkdirSync(temporaryFolder, { recursive: true });
    const outcome = new Promise<InitOutcome>((resolve) => {
      this.finishInit = resolve;
    });
    const child = spawn(runtime.command, runtime.arguments, {
      cwd: localFunction.codeFolder,
      env: environmentVariables({ ...this.options, runtimeApi }),
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: a signal from the terminal reaches us alone, and what the function starts dies with it.
      detached: process.platform !== 'win32',
    });
    this.child = child;
    killAtExit(this);
    forwardLines(child.stdout, this.options.onLine);
    forwardLines(child.stderr, this.options.onLine);
    child.once('error', (error) => this.onExit(error.message));
    child.once('exit', (code, signal) => this.onExit(signal === null ? `exit code ${code}` : `signal ${signal}`));
    const timer = setTimeout(() => this.finishInit?.({ kind: 'timeout' }), limitMs);
    const result = await outcome;
    clearTimeout(timer);
    this.finishInit = undefined;
    if (result.kind === 'ready') return { kind: 'ready', milliseconds: performance.now() - begin };
    await this.kill();
    return result;
  }

  /** One request; kills the process when it passes its deadline. */
  async invoke(
    requestId: string,
    payload: string,
    limitMs: number,
    onStream?: (stream: Readable) => void,
  ): Promise<EnvironmentOutcome> {
    const outcome = new Promise<EnvironmentOutcome>((finish) => {
      this.invocation = { requestId, finish };
    });
    if (this.ended) this.finish({ kind: 'exit', reason: 'the process was gone' });
    const timer = setTimeout(() => this.finish({ kind: 'timeout' }), limitMs);
    this.api.invoke({
      requestId,
      payload,
      functionArn: this.options.function.arn,
      deadline: Math.round(Date.now() + limitMs),
      onStream,
    });
    const result = await outcome;
    clearTimeout(timer);
    if (result.kind === 'timeout' || (result.kind === 'error' && FATAL_ERRORS.has(result.errorType))) await this.kill();
    return result;
  }

  /** The most memory that the process held so far, in MiB, where the system tells. */
  peakMemoryMiB(): number | undefined {
    try {
      const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.child?.pid}/status`, 'utf8')) ?? [];
      return kib === undefined ? undefined : Math.ceil(Number(kib) / 1024);
    } catch {
      return undefined;
    }
  }

  /** As `kill`, without waiting. */
  killNow(): void {
    if (this.child?.pid !== undefined) killGroup(this.child.pid);
  }

  /** Ends the process and everything that it started. */
  async kill(): Promise<void> {
    const pid = this.child?.pid;
    if (pid === undefined) this.onExit('it never started');
    else killGroup(pid);
    await this.exited;
  }

  private finish(outcome: EnvironmentOutcome): void {
    const { invocation } = this;
    this.invocation = undefined;
    invocation?.finish(outcome);
  }

  private onExit(reason: string): void {
    if (this.ended) return;
    this.ended = true;
    // The function may have left processes of its own behind.
    if (this.child?.pid !== undefined) killGroup(this.child.pid);
    this.finishInit?.({ kind: 'failed', reason: this.initError ?? reason });
    this.finish({ kind: 'exit', reason });
    this.api.close();
    rmSync(this.options.temporaryFolder, { recursive: true, force: true });
    this.markExited();
  }
}

/** What still runs when this process ends for whatever reason but SIGKILL; after that an environment ends by itself once it is idle. */
const running = new Set<ExecutionEnvironment>();

function killAtExit(environment: ExecutionEnvironment): void {
  if (running.size === 0) process.on('exit', killRunning);
  running.add(environment);
  void environment.exited.then(() => {
    running.delete(environment);
    if (running.size === 0) process.off('exit', killRunning);
  });
}

function killRunning(): void {
  for (const environment of running) environment.killNow();
}

function killGroup(pid: number): void {
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // Nothing of the group is left.
  }
}

function forwardLines(stream: Readable, onLine: (line: string) => void): void {
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', onLine);
}
