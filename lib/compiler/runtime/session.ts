/** onnxruntime at build time, always in a child process: a model that crashes the native library ends a child, not the build. */
import type { SessionSettings } from '../../artifact/manifest.js';
import { RuntimeError } from '../../errors.js';
import { SessionChild } from './session-child.js';
import type { RuntimeTensor, SessionReply, SessionRequest, SessionValue } from './session-protocol.js';
import type { ValueStatistics } from './value-statistics.js';

export { expectSession } from './session-child.js';
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

export class RuntimeSession {
  readonly inputs: readonly SessionValue[];
  readonly outputs: readonly SessionValue[];
  /** Wall time of creating the session, milliseconds. */
  readonly openMilliseconds: number;
  readonly #process: SessionChild;

  /** Made by `openSession`. */
  constructor(process: SessionChild, opened: Extract<SessionReply, { kind: 'opened' }>) {
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
  const process = new SessionChild(options.timeout ?? 300_000, options.signal);
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
