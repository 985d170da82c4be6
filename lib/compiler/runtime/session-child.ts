/** The child process of a session, seen from its parent. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { hostRuntimeFolder } from '../../artifact/onnxruntime-package.js';
import { RuntimeError } from '../../errors.js';
import type { SessionReply, SessionRequest } from './session-protocol.js';

/** The last of what a child wrote, for the error message when it dies. */
const STDERR_BYTES = 4096;

/** A hostile model must find no credentials: the child sees these variables and no others. */
const ENVIRONMENT = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'LD_LIBRARY_PATH'];

/** Started ahead of its session. */
let spare: ChildProcess | undefined;

/**
 * Starts the process of a session that will be opened soon: it loads onnxruntime while this one goes on. It keeps nobody waiting, and ends
 * with this process where no session comes.
 */
export function expectSession(): void {
  if (spare !== undefined) return;
  const child = startChild();
  spare = child;
  child.once('error', () => forget(child));
  child.once('exit', () => forget(child));
  hold(child, false);
}

function forget(child: ChildProcess): void {
  if (spare === child) spare = undefined;
}

function takeChild(): ChildProcess {
  const child = spare ?? startChild();
  forget(child);
  hold(child, true);
  return child;
}

/** Whether the child keeps this process from ending. */
function hold(child: ChildProcess, wanted: boolean): void {
  const pipe = child.stderr as { ref?: () => void; unref?: () => void } | null;
  for (const handle of [child, child.channel, pipe]) {
    if (wanted) handle?.ref?.();
    else handle?.unref?.();
  }
}

function startChild(): ChildProcess {
  // Run from source the child is TypeScript too, unless tests name what they compiled of it: tsx triples the time that it takes to start.
  const fromSource = import.meta.filename.endsWith('.ts');
  const compiled = fromSource ? process.env.CDK_ONNX_SESSION_PROCESS : join(import.meta.dirname, 'session-process.js');
  return fork(compiled ?? join(import.meta.dirname, 'session-process.ts'), [hostRuntimeFolder()], {
    serialization: 'advanced',
    execArgv: ['--expose-gc', ...(compiled === undefined ? ['--import', 'tsx'] : [])],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: {
      ...Object.fromEntries(
        ENVIRONMENT.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
      ),
      ORT_DISABLE_TELEMETRY: '1',
    },
  });
}

export class SessionChild {
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
    this.#child = takeChild();
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
