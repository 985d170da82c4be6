/** The layer in functions that are not ours, run by the local host: they see what onnxruntime-node as published shows. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Code, type IFunction, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { App, Duration, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OnnxRuntimeLayer } from '../../lib/constructs/index.js';
import { builtInRuntime } from '../../lib/local/execution-environment.js';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import { FIXTURE_FUNCTIONS, HOST_ARCHITECTURE } from '../support/local-app.js';
import { NODES_UNDER_TEST, requireNode } from '../support/node24.js';
import { DATA_TYPES } from '../support/random-tensors.js';
import { echoModel } from '../support/served-artifact.js';

const require = createRequire(import.meta.url);
const FOREIGN = join(FIXTURE_FUNCTIONS, 'foreign');
const MEMORY_MIB = 512;

let folder: string;
let assembly: string;
/** What the same code sees of the published package, in this process. */
let published: Record<string, unknown>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-foreign-'));
  assembly = join(folder, 'cdk.out');
  const model = join(folder, 'echo.onnx');
  writeFileSync(model, echoModel(DATA_TYPES.map((dataType) => ({ name: dataType, dataType, shape: ['N'] }))).bytes);
  const app = new App({ outdir: assembly });
  const stack = new Stack(app, 'Foreign');
  const layer = new OnnxRuntimeLayer(stack, 'Runtime', { architecture: HOST_ARCHITECTURE });
  const api = new HttpApi(stack, 'Api');
  for (const kind of ['commonjs', 'module']) {
    const lambda = new LambdaFunction(stack, kind, {
      runtime: Runtime.NODEJS_24_X,
      architecture: HOST_ARCHITECTURE,
      code: Code.fromAsset(FOREIGN),
      handler: `${kind}.handler`,
      memorySize: MEMORY_MIB,
      timeout: Duration.seconds(20),
      environment: { MODEL: model },
      layers: [layer.layer],
    });
    const integration = new HttpLambdaIntegration(`${kind}Integration`, lambda as IFunction);
    api.addRoutes({ path: `/${kind}`, methods: [HttpMethod.GET], integration });
  }
  app.synth();
  // Where the engine has one, the published package breaks on it; the layer does not, and must show the same.
  Reflect.deleteProperty(globalThis, 'Float16Array');
  published = await require(join(FOREIGN, 'checks.cjs'))(require('onnxruntime-node'), model);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(NODES_UNDER_TEST)('on $name with the layer', (target) => {
  it.for(['commonjs', 'module'])(
    'a function of kind %s works as with the published package',
    async (kind, { skip }) => {
      const runtime = { ...builtInRuntime(MEMORY_MIB), command: requireNode(target, skip) };
      const log: string[] = [];
      const host: LocalHost = await startLocalHost({ assembly, port: 0, runtime, log: (line) => log.push(line) });
      try {
        const answer = await fetch(`${host.url}/${kind}`);
        expect(answer.status, log.join('\n')).toBe(200);
        const { node, telemetry, from, imported, ...seen } = (await answer.json()) as Record<string, unknown>;
        if (target.name === 'Node.js 24') expect(node).toMatch(/^24\./);
        expect(telemetry).toBe('1');
        expect(from).toMatch(/opt-\d+\/nodejs\/node_modules\/onnxruntime-node\/index\.js$/);
        if (kind === 'module') expect(imported).toBe('ERR_MODULE_NOT_FOUND');
        expect(seen).toEqual(published);
      } finally {
        await host.close();
      }
    },
  );
});

it('the published package itself echoes every type, and says what is wrong', () => {
  const { tensors, errors } = published as {
    tensors: Record<string, { type: string; data: string[] }>;
    errors: Record<string, string>;
  };
  expect(Object.values(tensors).map(({ type }) => type)).toEqual([...DATA_TYPES]);
  expect(tensors.uint64_out?.data).toEqual(['0', '18446744073709551615']);
  expect(Object.values(errors)).not.toContain('nothing was thrown');
});
