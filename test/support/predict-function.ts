/** The real function with the real runtime layer, built into a temporary folder and run in a child process, one per environment. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildFunctions } from '../../functions/build.mjs';
import { buildOnnxRuntimeLayer } from '../../layers/onnxruntime/build.mjs';

export const HOST_ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'x86_64';

export interface FunctionResult {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

export interface PreparedFunction {
  /** Holds `task`, as Lambda's /var/task, and `opt`. */
  readonly folder: string;
  start(options: EnvironmentOptions): Promise<RunningFunction>;
  remove(): void;
}

export interface EnvironmentOptions {
  /** The artifact's folder. */
  readonly artifact: string;
  /** Path of the Node.js that runs it. Default: the one that runs the tests. */
  readonly node?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether the runtime layer is there. Default true. */
  readonly withRuntime?: boolean;
}

export async function prepareFunction(): Promise<PreparedFunction> {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-predict-'));
  const opt = join(folder, 'opt');
  mkdirSync(opt);
  await buildOnnxRuntimeLayer({ architecture: HOST_ARCHITECTURE, outputDirectory: opt });
  await buildFunctions({ outputDirectory: join(folder, 'task') });
  return {
    folder,
    start: (options) => RunningFunction.start(folder, options),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface ResourceUsage {
  /** Of the handler, for one event. */
  readonly cpuMilliseconds: number;
  /** The most memory that the process held so far. */
  readonly peakMebibytes: number;
}

type Message =
  | { readonly kind: 'ready'; readonly milliseconds: number }
  | { readonly kind: 'answered'; readonly id: number; readonly result: FunctionResult; readonly usage: ResourceUsage }
  | { readonly kind: 'threw'; readonly id: number; readonly message: string };

export class RunningFunction {
  private nextId = 0;
  private readonly waiting = new Map<number, { resolve(result: FunctionResult): void; reject(error: Error): void }>();
  /** All that it wrote. */
  output = '';
  /** What the last answer took. */
  usage: ResourceUsage = { cpuMilliseconds: 0, peakMebibytes: 0 };
  /** How long its module took to load, with the model. */
  initMilliseconds = Number.NaN;

  private constructor(private readonly child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (this.output += chunk));
  }

  static async start(folder: string, options: EnvironmentOptions): Promise<RunningFunction> {
    const { artifact, node = process.execPath, withRuntime = true, environment = {} } = options;
    const child = fork(
      join(import.meta.dirname, 'invoke-function.mjs'),
      [join(folder, 'task', 'predict', 'index.mjs')],
      {
        execPath: node,
        execArgv: [],
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: {
          PATH: process.env.PATH ?? '',
          NODE_PATH: withRuntime ? join(folder, 'opt/nodejs/node_modules') : '',
          CDK_ONNX_ARTIFACT: artifact,
          AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1769',
          ...environment,
        },
      },
    );
    const running = new RunningFunction(child);
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => {
        const error = new Error(`the function ended with ${code}: ${running.output}`);
        for (const { reject: fail } of running.waiting.values()) fail(error);
        reject(error);
      });
      child.on('message', (message: Message) => {
        if (message.kind === 'ready') {
          running.initMilliseconds = message.milliseconds;
          resolve();
        } else {
          running.settle(message);
        }
      });
    });
    return running;
  }

  private settle(message: Exclude<Message, { kind: 'ready' }>): void {
    const waiter = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.kind === 'answered') {
      this.usage = message.usage;
      waiter?.resolve(message.result);
    } else waiter?.reject(new Error(message.message));
  }

  /** @param context what Lambda hands over beside the event; default: nothing */
  invoke(event: unknown, context?: InvocationContext): Promise<FunctionResult> {
    return new Promise((resolve, reject) => {
      const id = this.nextId++;
      this.waiting.set(id, { resolve, reject });
      this.child.send({ id, event, context }, (error) => error !== null && reject(error));
    });
  }

  /** All that it has written by now: answers come by another way than output, and sooner. */
  async flushedOutput(): Promise<string> {
    const mark = `flushed ${this.nextId++}`;
    this.child.send({ mark });
    // On both of its streams.
    while (
      this.output.split(`${mark}
`).length < 3
    )
      await sleep(2);
    this.output = this.output.replaceAll(
      `${mark}
`,
      '',
    );
    return this.output;
  }

  get(path: string, context?: InvocationContext): Promise<FunctionResult> {
    return this.invoke(httpEvent({ method: 'GET', path }), context);
  }

  /** Bytes travel as base64, text as it is. */
  post(
    path: string,
    body: string | Uint8Array,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<FunctionResult> {
    return this.invoke(httpEvent({ method: 'POST', path, body, headers }));
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill();
    await exited;
  }
}

/** What the handler is told beside the event. */
export interface InvocationContext {
  readonly awsRequestId?: string;
  readonly functionName?: string;
  /** What `getRemainingTimeInMillis` counts down from; without it, the handler gets no such function. */
  readonly remainingMilliseconds?: number;
}

export interface EventOptions {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Default `$default`. */
  readonly stage?: string;
  /** What else the event's requestContext says. */
  readonly requestContext?: Readonly<Record<string, unknown>>;
}

/** An event of an HTTP API, payload format 2.0. */
export function httpEvent(options: EventOptions): Readonly<Record<string, unknown>> {
  const { method, path, headers = {}, body, stage = '$default', requestContext } = options;
  const isBytes = body instanceof Uint8Array;
  return {
    version: '2.0',
    routeKey: `${method} ${path}`,
    rawPath: path,
    rawQueryString: '',
    headers: { 'content-type': isBytes ? 'application/octet-stream' : 'application/json', ...headers },
    requestContext: { http: { method, path }, stage, ...requestContext },
    ...(body === undefined ? {} : { body: isBytes ? Buffer.from(body).toString('base64') : body }),
    isBase64Encoded: isBytes,
  };
}
