/** Lambda in small on loopback: real bundles in processes of their own behind the Invoke API of the local host, and faults in front of it. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { builtInRuntime, type RuntimeCommand } from '../../lib/local/execution-environment.js';
import { FunctionPool, type PoolInvocation } from '../../lib/local/function-pool.js';
import { answerInvoke } from '../../lib/local/invoke-api.js';
import type { LocalFunction } from '../../lib/local/local-stack.js';
import { readStreamHead } from '../../lib/local/rest-answer.js';
import {
  type FaultyService,
  type FaultyServiceOptions,
  type ServiceAnswer,
  startFaultyService,
} from './faulty-service.js';
import { HOST_ARCHITECTURE } from './predict-function.js';

export const LOOPBACK_REGION = 'eu-west-1';
export const LOOPBACK_CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'se/cret+',
  AWS_SESSION_TOKEN: 'tok/en==',
};

export interface LoopbackFunctionOptions {
  readonly name: string;
  /** Holds index.mjs. */
  readonly codeFolder: string;
  /** Default: the one whose answers are results. */
  readonly handler?: 'index.handler' | 'index.streamingHandler';
  /** Stands in for /opt. Default: an empty one. */
  readonly optFolder?: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Environments. Default 4. */
  readonly maxConcurrency?: number;
  readonly memoryMiB?: number;
  readonly timeoutSeconds?: number;
  /** Path of the Node.js that runs it. Default: the one that runs the tests. */
  readonly node?: string;
  /** The program that loads the handler. Default: the runtime client of the local host on `node`. */
  readonly runtime?: RuntimeCommand;
  /** Calls of the Invoke API beyond so many at a time are throttled. Default: they wait for an environment. */
  readonly reservedConcurrency?: number;
}

export interface StreamedAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer;
}

async function readAnswer(stream: Readable): Promise<StreamedAnswer> {
  const head = await readStreamHead(stream);
  if (head === undefined) throw new Error('the stream has no head');
  const body = Buffer.concat([head.rest, ...(await stream.toArray())]);
  return { statusCode: head.status, headers: head.headers, body };
}

/** A function with its environments, invoked as Lambda invokes it. */
export class LoopbackFunction {
  readonly localFunction: LocalFunction;
  /** All that it wrote. */
  readonly lines: string[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-loopback-'));
  private pool: FunctionPool;
  private pools = 0;

  constructor(private readonly options: LoopbackFunctionOptions) {
    const { name, codeFolder, handler = 'index.handler', environment, memoryMiB = 1769, timeoutSeconds = 30 } = options;
    this.localFunction = {
      id: `loopback/${name}`,
      label: name,
      arn: `arn:aws:lambda:${LOOPBACK_REGION}:000000000000:function:${name}`,
      names: [name],
      versions: new Map([['live', '1']]),
      codeFolder,
      layerFolders: [],
      handler,
      runtime: 'nodejs24.x',
      architecture: HOST_ARCHITECTURE,
      memoryMiB,
      timeoutSeconds,
      environment,
      invokes: [],
      objects: new Map(),
    };
    this.pool = this.newPool();
  }

  /** The ARN of its alias. */
  get aliasArn(): string {
    return `${this.localFunction.arn}:live`;
  }

  private inFlight = 0;

  /** Whether Lambda would answer 429 now. */
  get isThrottled(): boolean {
    return this.inFlight >= (this.options.reservedConcurrency ?? Number.POSITIVE_INFINITY);
  }

  /** Called when an environment has got an event and cannot have answered it yet. */
  onEvent: () => void = () => undefined;
  /** Told how each invocation ended. */
  onEnd: (outcome: PoolInvocation['outcome']) => void = () => undefined;

  invokeRaw(requestId: string, payload: string) {
    this.inFlight += 1;
    const pending = this.pool.invoke(requestId, payload).then((invocation) => {
      this.inFlight -= 1;
      this.onEnd(invocation.outcome);
      return invocation;
    });
    this.onEvent();
    return pending;
  }

  /** What the function returns for an event; throws for what is no result. */
  async invoke<Result>(event: unknown): Promise<Result> {
    const { outcome } = await this.pool.invoke(randomUUID(), JSON.stringify(event));
    if (outcome.kind !== 'response') throw new Error(`${JSON.stringify(outcome)}\n${this.lines.slice(-20).join('\n')}`);
    return JSON.parse(outcome.payload);
  }

  /** What the function streams for an event, to its end; throws for what is no answer. */
  async invokeStreamed(event: unknown): Promise<StreamedAnswer> {
    let reading: Promise<StreamedAnswer> | undefined;
    const { outcome } = await this.pool.invoke(randomUUID(), JSON.stringify(event), (stream) => {
      reading = readAnswer(stream);
    });
    if (outcome.kind !== 'streamed' || reading === undefined) throw new Error(JSON.stringify(outcome));
    return await reading;
  }

  /** Kills every environment as it is; the next invocation starts a new one. */
  async killAll(): Promise<void> {
    const old = this.pool;
    this.pool = this.newPool();
    await old.close();
  }

  async close(): Promise<void> {
    await this.pool.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private newPool(): FunctionPool {
    const { optFolder = this.folder, maxConcurrency = 4, node } = this.options;
    const builtIn = builtInRuntime(this.localFunction.memoryMiB);
    const { runtime = node === undefined ? builtIn : { ...builtIn, command: node } } = this.options;
    this.pools += 1;
    return new FunctionPool({
      function: this.localFunction,
      optFolder,
      temporaryFolder: join(this.folder, `tmp-${this.pools}`),
      region: LOOPBACK_REGION,
      host: process.env,
      runtime,
      maxConcurrency,
      initLimitMs: 60_000,
      onLine: (line) => this.lines.push(line),
    });
  }
}

/** The Invoke API of one function, which it does not close. */
export function startInvokeApi(
  invoked: LoopbackFunction,
  fault?: FaultyServiceOptions['fault'],
): Promise<FaultyService> {
  return startFaultyService({
    fault,
    answer: async (request) => {
      if (invoked.isThrottled) return throttled(request);
      const answer = await answerInvoke(request, {
        functions: [invoked.localFunction],
        region: LOOPBACK_REGION,
        invoke: (_, requestId, payload) => invoked.invokeRaw(requestId, payload),
        onInvoked: () => undefined,
      });
      return answer ?? { status: 404, headers: {}, body: Buffer.alloc(0) };
    },
  });
}

/** https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors */
function throttled(request: IncomingMessage): ServiceAnswer {
  request.resume();
  const members = {
    Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
    Type: 'User',
    message: 'Rate Exceeded.',
  };
  return {
    status: 429,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': 'TooManyRequestsException' },
    body: Buffer.from(JSON.stringify(members)),
  };
}
