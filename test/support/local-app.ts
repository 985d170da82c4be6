/** A CDK app with an HTTP API in front of the fixture functions, synthesized for real into a temporary folder. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CorsPreflightOptions, HttpApi, type HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import {
  Alias,
  Architecture,
  Code,
  type IFunction,
  type IVersion,
  Function as LambdaFunction,
  LayerVersion,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import { App, Duration, Stack } from 'aws-cdk-lib/core';

// Linting templates takes seconds, and these are not for AWS.
process.env.CDK_VALIDATION = 'false';

export const FIXTURE_FUNCTIONS = join(import.meta.dirname, '..', 'fixtures', 'functions');
export const HOST_ARCHITECTURE = process.arch === 'arm64' ? Architecture.ARM_64 : Architecture.X86_64;

export interface LocalAppRoute {
  /** A folder below test/fixtures/functions. */
  readonly function: string;
  readonly method: HttpMethod;
  readonly path: string;
}

export interface LocalAppOptions {
  readonly routes: readonly LocalAppRoute[];
  /** Default 3 seconds. */
  readonly timeoutSeconds?: number;
  /** Default 29 seconds. */
  readonly apiTimeoutSeconds?: number;
  readonly architecture?: Architecture;
  readonly cors?: CorsPreflightOptions;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface LocalApp {
  /** The cloud assembly. */
  readonly assembly: string;
  remove(): void;
}

export function synthesizeLocalApp(options: LocalAppOptions): LocalApp {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-app-'));
  const assembly = join(folder, 'cdk.out');
  const app = new App({ outdir: assembly });
  const stack = new Stack(app, 'Local');
  const layers = ['one', 'two'].map((name) => {
    const layer = join(folder, name);
    const greeting = join(layer, 'nodejs', 'node_modules', 'greeting');
    mkdirSync(greeting, { recursive: true });
    writeFileSync(join(greeting, 'index.js'), `module.exports = 'hello from layer ${name}';`);
    writeFileSync(join(greeting, `only-in-${name}.txt`), name);
    return new LayerVersion(stack, `Layer-${name}`, { code: Code.fromAsset(layer) });
  });
  const api = new HttpApi(stack, 'Api', {
    defaultAuthorizer: new HttpIamAuthorizer(),
    ...(options.cors === undefined ? {} : { corsPreflight: options.cors }),
  });
  const integrations = new Map<string, HttpLambdaIntegration>();
  for (const route of options.routes) {
    let integration = integrations.get(route.function);
    if (integration === undefined) {
      const lambda = new LambdaFunction(stack, `Function-${route.function}`, {
        runtime: Runtime.NODEJS_24_X,
        architecture: options.architecture ?? HOST_ARCHITECTURE,
        code: Code.fromAsset(join(FIXTURE_FUNCTIONS, route.function)),
        handler: 'index.handler',
        memorySize: 512,
        timeout: Duration.seconds(options.timeoutSeconds ?? 3),
        environment: { CDK_ONNX_ARTIFACT: `/opt/models/${route.function}`, TABLE: 'a table', ...options.environment },
        layers,
      });
      const alias = new Alias(stack, `Alias-${route.function}`, {
        aliasName: 'live',
        version: lambda.currentVersion as IVersion,
      });
      integration = new HttpLambdaIntegration(`Integration-${route.function}`, alias as IFunction, {
        timeout: Duration.seconds(options.apiTimeoutSeconds ?? 29),
      });
      integrations.set(route.function, integration);
    }
    api.addRoutes({ path: route.path, methods: [route.method], integration });
  }
  app.synth();
  return { assembly, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
