/** onnxruntime at build time, always in a child process: a model that crashes the native library ends a child, not the build. */
import { type ChildProcess, fork } from 'node:child_process';
import type { SessionSettings } from '../../artifact/manifest.js';
import { hostRuntimeFolder } from '../../artifact/onnxruntime-package.js';
import { RuntimeError } from '../../errors.js';
import type { RuntimeTensor, SessionReply, SessionRequest, SessionValue } from './session-protocol.js';
import type { ValueStatistics } from './value-statistics.js';

export type { RuntimeTensor, SessionValue } from './session-protocol.js';

export interface OpenSessionOptions {
  /** Default: everything onnxruntime optimizes. */
  readonly settings?: SessionSettings;
  /** Threads inside an operator. Default 1, so that results and timings do not depend on the machine's load. */
  readonly threads?: number;
  /** Milliseconds that opening or one run may take before the child is killed. Default 300,000. */
  readonly timeout?: number;
  /** Kills the child when it fires. */
  readonly signal?: AbortSignal;
  /** Measures every operator from now on; `endProfile` writes a file whose path begins like this. Default: no profile. */
  readonly profileFilePrefix?: string;
}

export interface RuntimeRun {
  readonly outputs: Readonly<Record<string, RuntimeTensor>>;
  /** Wall time of the run itself, milliseconds, without the way to the child and back. */
  readonly milliseconds: number;
}

/** Steps to run for what their outputs say of values. */
export type Observation = Omit<Extract<SessionRequest, { kind: 'observe' }>, 'kind'>;

/** The last of what a child wrote, for the error message when it dies. */
const STDERR_BYTES = 4096;

/** A hostile model must find no credentials: the child sees these variables and no others. */
const ENVIRONMENT = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'LD_LIBRARY_PATH'];

export class RuntimeSession {
  readonly inputs: readonly SessionValue[];
  readonly outputs: readonly SessionValue[];
  /** Wall time of creating the session, milliseconds. */
  readonly openMilliseconds: number;
  readonly #process: SessionProcess;

  /** Made by `openSession`. */
  constructor(process: SessionProcess, opened: Extract<SessionReply, { kind: 'opened' }>) {
    this.#process = process;
    this.inputs = opened.inputs;
    this.outputs = opened.outputs;
    this.openMilliseconds = opened.milliseconds;
  }

  /**
   * One run, serialized with those before it.
   * @param outputs names of the outputs to fetch; default all
   * @throws RuntimeError RUNTIME_RUN if onnxruntime refuses, RUNTIME_CRASH or RUNTIME_TIMEOUT if the child dies
   */
  async run(feeds: Readonly<Record<string, RuntimeTensor>>, outputs?: readonly string[]): Promise<RuntimeRun> {
    const reply = await this.#process.ask({ kind: 'run', feeds, outputs });
    if (reply.kind === 'ran') return reply;
    throw notRun(reply);
  }

  /**
   * Runs steps in order, and keeps in the child what the observed outputs say of values; nothing comes back.
   * @throws as `run`
   */
  async observe(observation: Observation): Promise<void> {
    const reply = await this.#process.ask({ kind: 'observe', ...observation });
    if (reply.kind !== 'observed') throw notRun(reply);
  }

  /** What was observed since the session was opened, by the output's name. */
  async statistics(): Promise<{ values: Readonly<Record<string, ValueStatistics>>; peakBytes: number }> {
    const reply = await this.#process.ask({ kind: 'statistics' });
    if (reply.kind === 'statistics') return reply;
    throw notRun(reply);
  }

  /** Writes the profile of all runs so far. @throws RuntimeError RUNTIME_RUN if none was asked for */
  async endProfile(): Promise<void> {
    const reply = await this.#process.ask({ kind: 'end-profile' });
    if (reply.kind !== 'profiled') throw notRun(reply);
  }

  /** Ends the child. Safe to call twice. */
  async close(): Promise<void> {
    await this.#process.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Opens a model in a child process of its own.
 * @param model path of an ONNX file (external data beside it), or its bytes
 * @throws RuntimeError RUNTIME_OPEN if onnxruntime refuses the model, RUNTIME_CRASH or RUNTIME_TIMEOUT if the child dies
 * @throws ConfigurationError RUNTIME_NOT_INSTALLED where there is no onnxruntime for this host
 */
export async function openSession(
  model: string | Uint8Array,
  options: OpenSessionOptions = {},
): Promise<RuntimeSession> {
  const process = new SessionProcess(options.timeout ?? 300_000, options.signal);
  try {
    const reply = await process.ask({
      kind: 'open',
      model,
      settings: options.settings ?? {},
      threads: options.threads ?? 1,
      profileFilePrefix: options.profileFilePrefix,
    });
    if (reply.kind === 'opened') return new RuntimeSession(process, reply);
    throw new RuntimeError({
      code: 'RUNTIME_OPEN',
      message: `onnxruntime refused the model: ${reply.kind === 'failed' ? reply.message : reply.kind}`,
      advice:
        'Run `cdk-onnx inspect` on it; an operator or opset newer than the bundled onnxruntime is the usual cause.',
    });
  } catch (error) {
    await process.close();
    throw error;
  }
}

function notRun(reply: SessionReply): RuntimeError {
  return new RuntimeError({
    code: 'RUNTIME_RUN',
    message: `onnxruntime could not run the model: ${reply.kind === 'failed' ? reply.message : reply.kind}`,
    advice: 'Check the shapes and types of the inputs against `cdk-onnx inspect`.',
  });
}

class SessionProcess {
  readonly #child: ChildProcess;
  readonly #timeout: number;
  readonly #exited: Promise<void>;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = () => void this.#child.kill('SIGKILL');
  #stderr = '';
  #ended: string | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(timeout: number, signal: AbortSignal | undefined) {
    signal?.throwIfAborted();
    this.#timeout = timeout;
    this.#signal = signal;
    // Run from source, as tests do, the child is TypeScript too.
    const fromSource = import.meta.filename.endsWith('.ts');
    const script = import.meta.filename.replace(/session\.(ts|js)$/, 'session-process.$1');
    this.#child = fork(script, [hostRuntimeFolder()], {
      serialization: 'advanced',
      execArgv: ['--expose-gc', ...(fromSource ? ['--import', 'tsx'] : [])],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {
        ...Object.fromEntries(
          ENVIRONMENT.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
        ),
        ORT_DISABLE_TELEMETRY: '1',
      },
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_BYTES);
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#ended ??= error.message;
        resolve();
      });
      this.#child.once('close', (code, exitSignal) => {
        this.#ended ??= exitSignal === null ? `ended with code ${code}` : `was ended by ${exitSignal}`;
        resolve();
      });
    });
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  ask(request: SessionRequest): Promise<SessionReply> {
    const reply = this.#queue.then(() => this.#exchange(request));
    this.#queue = reply.catch(() => undefined);
    return reply;
  }

  async #exchange(request: SessionRequest): Promise<SessionReply> {
    let timer: NodeJS.Timeout | undefined;
    let timedOut = false;
    let listener: ((reply: SessionReply) => void) | undefined;
    try {
      const reply = await Promise.race([
        new Promise<SessionReply>((resolve) => {
          listener = resolve;
          this.#child.once('message', resolve);
          this.#child.send(request, () => undefined);
          timer = setTimeout(() => {
            timedOut = true;
            this.#child.kill('SIGKILL');
          }, this.#timeout);
        }),
        this.#exited,
      ]);
      if (reply !== undefined) return reply;
    } finally {
      clearTimeout(timer);
      if (listener !== undefined) this.#child.off('message', listener);
    }
    this.#signal?.throwIfAborted();
    if (timedOut) {
      throw new RuntimeError({
        code: 'RUNTIME_TIMEOUT',
        message: `onnxruntime did not ${request.kind} the model within ${this.#timeout} ms.`,
        advice: 'Fix the input dimensions to smaller sizes in model.json, or raise the limit.',
      });
    }
    throw new RuntimeError({
      code: 'RUNTIME_CRASH',
      message:
        `The onnxruntime process ${this.#ended} while it had to ${request.kind} the model. ${this.#stderr.trim()}`.trim(),
      advice:
        'The model crashes the native library, or memory ran out; the build itself is unharmed. Try it with `cdk-onnx inspect` and a smaller input.',
    });
  }

  async close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#abort);
    if (this.#ended === undefined) this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
