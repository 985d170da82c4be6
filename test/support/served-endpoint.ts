/** Real models behind the real function and layer, synthesized and served over HTTP by the local host. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { Architecture, IFunction } from 'aws-cdk-lib/aws-lambda';
import { App, Duration, Stack } from 'aws-cdk-lib/core';
import { InferenceEndpoint, type InferenceGpuOptions, Model } from '../../lib/constructs/index.js';
import { builtInRuntime, type RuntimeCommand } from '../../lib/local/execution-environment.js';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import { HOST_ARCHITECTURE } from './local-app.js';
import { type EchoInput, echoModel } from './served-artifact.js';
import type { TaskModel } from './task-models.js';

/** One vCPU. */
const MEMORY_MIB = 1769;
const FACES = join(import.meta.dirname, '../../models/faces');

// Linting templates takes seconds, and these are not for AWS.
process.env.CDK_VALIDATION = 'false';

export interface ServedEndpointOptions {
  /** Models whose outputs are their inputs, by name. */
  readonly echoes?: Readonly<Record<string, readonly EchoInput[]>>;
  /** Models with a task, by name. */
  readonly tasks?: Readonly<Record<string, TaskModel>>;
  /** Whether the face detector of models/ is served, as the first model. Default true. */
  readonly faces?: boolean;
  /** A GPU for each model, and so a router. The models above are then built for one too, and `faces` is not served. */
  readonly gpu?: InferenceGpuOptions;
  /** Whether requests without a route of the endpoint reach the first model's function too, which has its own word on them. Default false. */
  readonly catchAll?: boolean;
  /** Node.js that runs the function. Default: the one that runs the tests. */
  readonly node?: string;
  /** What runs the function in place of Node.js and the local host's runtime client. */
  readonly runtime?: RuntimeCommand;
  /** Default: this machine's. */
  readonly architecture?: Architecture;
  /** MB. Default: those of one vCPU. */
  readonly memorySize?: number;
  /** Of the function's invocations and of its init phase; for emulators. Default: the endpoint's and Lambda's. */
  readonly limitSeconds?: number;
}

export interface ServedEndpoint {
  readonly host: LocalHost;
  /** Every line of the local host. */
  readonly log: string[];
  close(): Promise<void>;
}

export async function serveEndpoint(options: ServedEndpointOptions = {}): Promise<ServedEndpoint> {
  const { limitSeconds, memorySize = MEMORY_MIB, gpu } = options;
  const forGpu = gpu === undefined ? {} : { gpu: { precision: 'fp32' } };
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-served-'));
  const folders = [
    ...Object.entries(options.echoes ?? {}).map(([name, inputs]) =>
      writeModelFolder(folder, name, { bytes: echoModel(inputs).bytes }, forGpu),
    ),
    ...Object.entries(options.tasks ?? {}).map(([name, model]) => writeModelFolder(folder, name, model, forGpu)),
  ];
  if (options.faces !== false && gpu === undefined) folders.unshift(FACES);
  const assembly = join(folder, 'cdk.out');
  const app = new App({ outdir: assembly });
  const stack = new Stack(app, 'Endpoint');
  const endpoint = new InferenceEndpoint(stack, 'Endpoint', {
    models: folders.map((model) => Model.fromDirectory(model)),
    architecture: options.architecture ?? HOST_ARCHITECTURE,
    memorySize,
    ...(gpu === undefined ? {} : { gpu }),
    ...(limitSeconds === undefined ? {} : { timeout: Duration.seconds(limitSeconds) }),
  });
  const [first] = endpoint.functions.values();
  if (options.catchAll === true && first !== undefined) {
    const integration = new HttpLambdaIntegration('Any', first.alias as IFunction);
    new HttpApi(stack, 'CatchAll').addRoutes({ path: '/{proxy+}', methods: [HttpMethod.ANY], integration });
  }
  app.synth();
  const log: string[] = [];
  const host = await startLocalHost({
    assembly,
    port: 0,
    log: (line) => log.push(line),
    ...runtimeOf(options, memorySize),
    ...(limitSeconds === undefined ? {} : { initLimitMs: limitSeconds * 1000 }),
  });
  return {
    host,
    log,
    async close() {
      await host.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function runtimeOf(
  { runtime, node }: ServedEndpointOptions,
  memorySize: number,
): { readonly runtime?: RuntimeCommand } {
  if (runtime !== undefined) return { runtime };
  return node === undefined ? {} : { runtime: { ...builtInRuntime(memorySize), command: node } };
}

function writeModelFolder(
  parent: string,
  name: string,
  { bytes, task, files = {} }: Pick<TaskModel, 'bytes'> & Partial<TaskModel>,
  further: object,
): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'source.onnx'), bytes);
  for (const [path, content] of Object.entries(files)) writeFileSync(join(folder, path), content);
  writeFileSync(join(folder, 'model.json'), JSON.stringify({ name, source: 'source.onnx', task, ...further }));
  return folder;
}
