/** Real models behind the real function and layer, synthesized and served over HTTP by the local host. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { App, Stack } from 'aws-cdk-lib/core';
import { InferenceEndpoint, Model } from '../../lib/constructs/index.js';
import { builtInRuntime } from '../../lib/local/execution-environment.js';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import { HOST_ARCHITECTURE } from './local-app.js';
import { type EchoInput, echoModel } from './served-artifact.js';

/** One vCPU. */
const MEMORY_MIB = 1769;
const FACES = join(import.meta.dirname, '../../models/faces');

// Linting templates takes seconds, and these are not for AWS.
process.env.CDK_VALIDATION = 'false';

export interface ServedEndpointOptions {
  /** Models whose outputs are their inputs, by name. */
  readonly echoes?: Readonly<Record<string, readonly EchoInput[]>>;
  /** Whether the face detector of models/ is served, as the first model. Default true. */
  readonly faces?: boolean;
  /** Whether requests without a route of the endpoint reach the first model's function too, which has its own word on them. Default false. */
  readonly catchAll?: boolean;
  /** Node.js that runs the function. Default: the one that runs the tests. */
  readonly node?: string;
}

export interface ServedEndpoint {
  readonly host: LocalHost;
  /** Every line of the local host. */
  readonly log: string[];
  close(): Promise<void>;
}

export async function serveEndpoint(options: ServedEndpointOptions = {}): Promise<ServedEndpoint> {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-served-'));
  const folders = Object.entries(options.echoes ?? {}).map(([name, inputs]) => writeEchoFolder(folder, name, inputs));
  if (options.faces !== false) folders.unshift(FACES);
  const assembly = join(folder, 'cdk.out');
  const app = new App({ outdir: assembly });
  const stack = new Stack(app, 'Endpoint');
  const endpoint = new InferenceEndpoint(stack, 'Endpoint', {
    models: folders.map((model) => Model.fromDirectory(model)),
    architecture: HOST_ARCHITECTURE,
    memorySize: MEMORY_MIB,
  });
  const [first] = endpoint.functions.values();
  if (options.catchAll === true && first !== undefined) {
    const integration = new HttpLambdaIntegration('Any', first.alias as IFunction);
    new HttpApi(stack, 'CatchAll').addRoutes({ path: '/{proxy+}', methods: [HttpMethod.ANY], integration });
  }
  app.synth();
  const log: string[] = [];
  const { node } = options;
  const host = await startLocalHost({
    assembly,
    port: 0,
    log: (line) => log.push(line),
    ...(node === undefined ? {} : { runtime: { ...builtInRuntime(MEMORY_MIB), command: node } }),
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

function writeEchoFolder(parent: string, name: string, inputs: readonly EchoInput[]): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'echo.onnx'), echoModel(inputs).bytes);
  writeFileSync(join(folder, 'model.json'), JSON.stringify({ name, source: 'echo.onnx' }));
  return folder;
}
