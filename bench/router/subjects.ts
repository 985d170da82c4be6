/** Who is measured: the router, a floor and the SDK, each as a function of its own behind which an instant service answers. */
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildFunctions } from '../../functions/build.mjs';
import { ExecutionEnvironment } from '../../lib/local/execution-environment.js';
import { type FaultyService, startFaultyService } from '../../test/support/faulty-service.js';
import { LOOPBACK_CREDENTIALS, LOOPBACK_REGION } from '../../test/support/loopback-lambda.js';
import { HOST_ARCHITECTURE } from '../../test/support/predict-function.js';
import type { SuiteContext } from '../suite.js';
import type { CpuShare, LambdaRuntime } from './lambda-runtime.js';
import { bundleSdkRouter } from './sdk-peer.js';

export const SUBJECTS = { router: 'router', floor: 'floor', sdk: 'the SDK, plain' } as const;
export type SubjectName = (typeof SUBJECTS)[keyof typeof SUBJECTS];

export interface Subject {
  readonly name: SubjectName;
  /** Holds index.mjs, and clock.mjs that times it. */
  readonly folder: string;
}

/** In a folder of their own; the SDK is missing where npm cannot install it. */
export async function prepareSubjects({ note }: SuiteContext): Promise<{ subjects: Subject[]; remove(): void }> {
  const parent = mkdtempSync(join(tmpdir(), 'cdk-onnx-bench-'));
  await buildFunctions({ outputDirectory: join(parent, 'functions') });
  const subjectOf = (name: SubjectName, folder: string): Subject => {
    mkdirSync(folder, { recursive: true });
    copyFileSync(join(import.meta.dirname, '../cold-start/clock.mjs'), join(folder, 'clock.mjs'));
    return { name, folder };
  };
  const floor = subjectOf(SUBJECTS.floor, join(parent, 'floor'));
  copyFileSync(join(import.meta.dirname, 'floor.mjs'), join(floor.folder, 'index.mjs'));
  const subjects = [subjectOf(SUBJECTS.router, join(parent, 'functions/router')), floor];
  try {
    const sdk = subjectOf(SUBJECTS.sdk, join(parent, 'sdk'));
    await bundleSdkRouter(sdk.folder);
    subjects.push(sdk);
  } catch (error) {
    note(`no SDK here: ${error instanceof Error ? error.message : String(error)}`);
  }
  return { subjects, remove: () => rmSync(parent, { recursive: true, force: true }) };
}

/** What the function that predicts returns. */
const RESULT = {
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ model_name: 'dense', model_version: '3', outputs: [] }),
  isBase64Encoded: false,
};

/** Lambda's API in the time that loopback takes. */
export function startInstantLambda(): Promise<FaultyService> {
  const body = Buffer.from(JSON.stringify(RESULT));
  return startFaultyService({
    answer: async (request) => {
      for await (const _ of request) {
        // The body has arrived when all of it has.
      }
      return { status: 200, headers: { 'content-type': 'application/json' }, body };
    },
  });
}

export interface StartOptions {
  readonly runtime: LambdaRuntime;
  readonly memoryMiB: number;
  readonly share: CpuShare;
  readonly lambdaUrl: string;
  readonly handler: 'index.handler' | 'clock.handler';
}

export class StartedSubject {
  private constructor(
    readonly name: SubjectName,
    private readonly environment: ExecutionEnvironment,
    private readonly folder: string,
    /** All that it wrote. */
    readonly lines: readonly string[],
  ) {}

  static async start(subject: Subject, options: StartOptions): Promise<StartedSubject> {
    const { runtime, memoryMiB, share, lambdaUrl, handler } = options;
    const lines: string[] = [];
    const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-bench-'));
    const environment = new ExecutionEnvironment({
      function: {
        ...{ id: subject.name, label: subject.name, names: ['router'], versions: new Map(), objects: new Map() },
        ...{ arn: `arn:aws:lambda:${LOOPBACK_REGION}:000000000000:function:router`, runtime: 'nodejs24.x' },
        ...{ codeFolder: subject.folder, layerFolders: [], handler, memoryMiB, timeoutSeconds: LIMIT_MS / 1000 },
        architecture: HOST_ARCHITECTURE,
        invokes: [],
        environment: {
          ...LOOPBACK_CREDENTIALS,
          AWS_ENDPOINT_URL_LAMBDA: lambdaUrl,
          AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: lambdaUrl,
          CDK_ONNX_PREDICT_FUNCTION: `arn:aws:lambda:${LOOPBACK_REGION}:000000000000:function:predict:live`,
          CDK_ONNX_GPU_ENDPOINT: 'gpu',
          CDK_ONNX_MODEL: 'dense',
          CDK_ONNX_MODEL_VERSION: '3',
        },
      },
      ...{ optFolder: folder, temporaryFolder: join(folder, 'tmp'), region: LOOPBACK_REGION, logStream: 'bench' },
      host: process.env,
      runtime: runtime.command({ heapMiB: Math.floor(memoryMiB * 0.9), share, handler }),
      onLine: (line) => lines.push(line),
    });
    const started = new StartedSubject(subject.name, environment, folder, lines);
    const init = await environment.start(LIMIT_MS);
    if (init.kind === 'ready') return started;
    await started.stop();
    throw started.failed(init.kind === 'failed' ? init.reason : 'its init phase did not end');
  }

  /** Milliseconds from the Runtime API's word to the answer's arrival there. @throws Error for an answer that is none */
  async ask(payload: string): Promise<number> {
    const began = performance.now();
    const outcome = await this.environment.invoke(randomUUID(), payload, LIMIT_MS);
    const milliseconds = performance.now() - began;
    if (outcome.kind !== 'response') throw this.failed(JSON.stringify(outcome));
    const { statusCode, body } = JSON.parse(outcome.payload);
    if (statusCode !== 200 || body !== RESULT.body) throw this.failed(outcome.payload.slice(0, 300));
    return milliseconds;
  }

  async stop(): Promise<void> {
    await this.environment.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private failed(reason: string): Error {
    return new Error(`${this.name}: ${reason}\n${this.lines.slice(-20).join('\n')}`);
  }
}

/** Nothing here takes so long. */
const LIMIT_MS = 60_000;
