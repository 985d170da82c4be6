/** A function on Lambda, called through AWS's SDK, which is loaded only here: nobody else needs it. */
import type { LambdaClient, LambdaClientConfig } from '@aws-sdk/client-lambda';
import type { Architecture } from '../../artifact/manifest.js';
import { ConfigurationError, RuntimeError } from '../../errors.js';
import { type InvokeReport, parseInvokeReport } from './invoke-report.js';

/** Lambda's own limit of a synchronous invocation is 15 minutes; no prediction takes so long. */
const REQUEST_TIMEOUT = 120_000;

export interface FunctionAnswer {
  /** Of the HTTP answer inside. */
  readonly status: number;
  /** Undecoded: base64 where the answer is binary. */
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

export type Invocation =
  | {
      readonly kind: 'answered';
      readonly answer: FunctionAnswer;
      /** On this side: the network is in it, ms. */
      readonly roundTrip: number;
      readonly report: InvokeReport | undefined;
    }
  /** Lambda took no more requests. */
  | { readonly kind: 'throttled' }
  /** The function threw, ran out of time or memory. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface FunctionFacts {
  readonly architecture?: Architecture;
  readonly memorySize?: number;
}

export class DeployedFunction {
  readonly #name: string;
  readonly #sdk: typeof import('@aws-sdk/client-lambda');
  readonly #client: LambdaClient;

  private constructor(name: string, sdk: typeof import('@aws-sdk/client-lambda'), client: LambdaClient) {
    this.#name = name;
    this.#sdk = sdk;
    this.#client = client;
  }

  /**
   * @param name or ARN, with an alias or a version if wanted; an ARN says its region itself
   * @throws ConfigurationError AWS_SDK_MISSING
   */
  static async open(name: string): Promise<DeployedFunction> {
    const sdk = await import('@aws-sdk/client-lambda').catch((cause: unknown) => {
      throw new ConfigurationError({
        code: 'AWS_SDK_MISSING',
        message: 'A deployed function is called through @aws-sdk/client-lambda, which is not installed.',
        advice: 'Run `npm install --save-dev @aws-sdk/client-lambda`.',
        cause,
      });
    });
    const [, region] = /^arn:[^:]+:lambda:([^:]+):/.exec(name) ?? [];
    const configuration: LambdaClientConfig = {
      // A retry would hide a throttle and count twice in the latency.
      maxAttempts: 1,
      requestHandler: { requestTimeout: REQUEST_TIMEOUT, throwOnRequestTimeout: true },
      ...(region === undefined ? {} : { region }),
    };
    return new DeployedFunction(name, sdk, new sdk.LambdaClient(configuration));
  }

  /** @throws RuntimeError BENCHMARK_INVOKE where Lambda refuses the call itself: no such function, no permission, no network */
  async invoke(event: string, signal: AbortSignal): Promise<Invocation> {
    const { InvokeCommand, TooManyRequestsException } = this.#sdk;
    const start = performance.now();
    try {
      const output = await this.#client.send(
        new InvokeCommand({ FunctionName: this.#name, Payload: Buffer.from(event), LogType: 'Tail' }),
        { abortSignal: signal },
      );
      const roundTrip = performance.now() - start;
      const payload = output.Payload?.transformToString() ?? '';
      if (output.FunctionError !== undefined) return { kind: 'failed', reason: payload.slice(0, 500) };
      const answer = readAnswer(payload);
      if (answer === undefined) return { kind: 'failed', reason: 'its answer is none of an HTTP API' };
      return { kind: 'answered', answer, roundTrip, report: parseInvokeReport(output.LogResult) };
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof TooManyRequestsException) return { kind: 'throttled' };
      throw new RuntimeError({
        code: 'BENCHMARK_INVOKE',
        message: `${this.#name} could not be invoked: ${cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)}`,
        advice:
          'Check the name, the region and the credentials; it takes the permission lambda:InvokeFunction. AWS_ENDPOINT_URL_LAMBDA names another endpoint, such as that of `cdk-onnx dev`.',
        cause,
      });
    }
  }

  /** What its configuration says; nothing where the caller may not read it. */
  async facts(signal: AbortSignal): Promise<FunctionFacts> {
    const { GetFunctionConfigurationCommand } = this.#sdk;
    try {
      const { Architectures, MemorySize } = await this.#client.send(
        new GetFunctionConfigurationCommand({ FunctionName: this.#name }),
        { abortSignal: signal },
      );
      const [architecture] = Architectures ?? [];
      return {
        ...(architecture === undefined ? {} : { architecture }),
        ...(MemorySize === undefined ? {} : { memorySize: MemorySize }),
      };
    } catch {
      signal.throwIfAborted();
      return {};
    }
  }

  close(): void {
    this.#client.destroy();
  }
}

function readAnswer(payload: string): FunctionAnswer | undefined {
  try {
    const { statusCode, body, isBase64Encoded } = JSON.parse(payload) as Record<string, unknown>;
    if (typeof statusCode !== 'number' || typeof body !== 'string') return undefined;
    return { status: statusCode, body, isBase64Encoded: isBase64Encoded === true };
  } catch {
    return undefined;
  }
}
