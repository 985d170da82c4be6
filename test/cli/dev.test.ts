import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dev } from '../../lib/cli/dev.js';
import { ConfigurationError } from '../../lib/errors.js';
import { FIXTURE_FUNCTIONS, type LocalApp, synthesizeLocalApp } from '../support/local-app.js';
import { commandLine } from './run-command.js';

const ROOT = join(import.meta.dirname, '..', '..');
let folder: string;
let app: LocalApp;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-dev-'));
  app = synthesizeLocalApp({ routes: [{ function: 'module', method: HttpMethod.GET, path: '/module' }] });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  app.remove();
});

/** A CDK project whose app is plain JavaScript and takes nothing of cdk-onnx. */
function writeProject(
  name: string,
  source: string,
  cdkJson: unknown = { app: 'node app.mjs', context: { fromCdkJson: 'yes' } },
): string {
  const project = join(folder, name);
  mkdirSync(project);
  symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
  cpSync(join(FIXTURE_FUNCTIONS, 'module'), join(project, 'function'), { recursive: true });
  writeFileSync(join(project, 'app.mjs'), source);
  writeFileSync(join(project, 'cdk.json'), typeof cdkJson === 'string' ? cdkJson : JSON.stringify(cdkJson));
  return project;
}
const APP = `
import { App, Stack } from 'aws-cdk-lib/core';
import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Architecture, Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda';
const app = new App();
const stack = new Stack(app, 'Example');
const context = (name) => app.node.tryGetContext(name);
if (context('fromCdkJson') !== 'yes' || context('architecture') !== context('cdk-onnx:architecture')) throw new Error('context');
const integration = new HttpLambdaIntegration('I', new Function(stack, 'F', {
  runtime: Runtime.NODEJS_24_X, handler: 'index.handler', code: Code.fromAsset('function'),
  architecture: Architecture.custom(context('architecture')),
}));
new HttpApi(stack, 'Api').addRoutes({ path: '/module', methods: [HttpMethod.GET], integration });
app.synth();
`;

/** Runs `dev` until its lines show an URL, gives it to `use`, and stops it. */
async function serve(
  options: { project?: string; assembly?: string },
  use: (url: string, lines: readonly string[]) => Promise<void>,
): Promise<number> {
  const stop = new AbortController();
  const lines: string[] = [];
  let announce: (url: string) => void = () => undefined;
  const url = new Promise<string>((resolve) => {
    announce = resolve;
  });
  const print = (line: string) => {
    lines.push(line);
    const [found] = /http:\/\/localhost:\d+(?= \(Ctrl-C)/.exec(line) ?? [];
    if (found !== undefined) announce(found);
  };
  const running = dev({ port: 0, signal: stop.signal, print, ...options });
  await Promise.race([url.then((address) => use(address, lines)), running]);
  stop.abort();
  return await running;
}

describe('dev', () => {
  test('runs the app of cdk.json with its context, for this machine, and serves it', async () => {
    const project = writeProject('example', APP);
    const code = await serve({ project }, async (url, lines) => {
      const response = await fetch(`${url}/module`);
      expect(response.status).toBe(200);
      expect(lines).toContain(`curl ${url}/module`);
      expect(lines.join('\n')).toMatch(/GET \/module 200 F\w+#1 cold: init \d+ ms, run \d+ ms/);
    });
    expect(code).toBe(0);
    expect(readdirSync(join(project, 'cdk.out', 'local'))).toContain('Example.template.json');
  });

  test('serves an assembly as it is, and says that IAM is not enforced', async () => {
    await serve({ assembly: app.assembly }, async (url, lines) => {
      expect((await fetch(`${url}/module`)).status).toBe(200);
      expect(lines).toContain('IAM authorization is not enforced here: requests need no signature, unlike on AWS.');
    });
  });

  test('serves a REST API, and says what is asked of callers here and what is not', async () => {
    const rest = APP.replace("import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';", '')
      .replace(
        "import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';",
        "import { AuthorizationType, LambdaIntegration, RestApi } from 'aws-cdk-lib/aws-apigateway';",
      )
      .replace("new HttpLambdaIntegration('I', new Function", 'new LambdaIntegration(new Function')
      .replace(
        /new HttpApi\(.*/,
        "new RestApi(stack, 'Api').root.addResource('module').addMethod('GET', integration, { apiKeyRequired: true, authorizationType: AuthorizationType.IAM });",
      );
    await serve({ project: writeProject('rest', rest) }, async (url, lines) => {
      expect((await fetch(`${url}/module`)).status).toBe(403);
      expect((await fetch(`${url}/prod/module`, { headers: { 'x-api-key': 'any' } })).status).toBe(200);
      expect(lines).toContain(`curl -H 'x-api-key: any' ${url}/module`);
      expect(lines.join('\n')).toMatch(/IAM authorization is not enforced here/);
      expect(lines.join('\n')).toMatch(/warning: Requests need a header x-api-key here too/);
    });
  });

  test.each([
    [
      'an app that fails',
      APP.replace('app.synth()', "throw new Error('no')"),
      undefined,
      { name: 'SynthesisError', code: 'APP_FAILED' },
    ],
    ['a cdk.json without app', APP, {}, { code: 'CDK_JSON_UNREADABLE' }],
    ['a damaged cdk.json', APP, '{', { code: 'CDK_JSON_UNREADABLE' }],
  ])('refuses %s', async (name, source, cdkJson, error) => {
    const project = writeProject(name.replaceAll(' ', '-'), source, cdkJson);
    await expect(serve({ project }, async () => undefined)).rejects.toMatchObject(error);
  });

  test('refuses a folder without cdk.json', async () => {
    await expect(serve({ project: folder }, async () => undefined)).rejects.toThrow(ConfigurationError);
  });

  test('stopped while the app runs, kills the app and what it started', async () => {
    const project = writeProject(
      'endless',
      `
      import { spawn } from 'node:child_process';
      import { writeFileSync } from 'node:fs';
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
      writeFileSync('pids', JSON.stringify([process.pid, child.pid]));
      setInterval(() => {}, 1000);
    `,
    );
    const stop = new AbortController();
    const running = dev({ port: 0, signal: stop.signal, project, print: () => undefined });
    const file = join(project, 'pids');
    await waitFor(() => existsSync(file) && readFileSync(file, 'utf8') !== '');
    stop.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    for (const pid of JSON.parse(readFileSync(file, 'utf8')) as number[]) await waitFor(() => !isRunning(pid));
  });
});

describe('the program', () => {
  /** `cdk-onnx dev` in a process of its own. */
  function start(...flags: string[]): ChildProcess {
    return spawn(process.execPath, commandLine(['dev', ...flags]), {
      cwd: ROOT,
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1', TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it with exit code 0 and leaves nothing behind', async (signal) => {
    const child = start('--assembly', app.assembly, '--port', '0');
    let output = '';
    child.stdout?.on('data', (chunk) => {
      output += String(chunk);
    });
    const exit = once(child, 'exit');
    await waitFor(() => /http:\/\/localhost:\d+/.test(output));
    const [url = ''] = /http:\/\/localhost:\d+/.exec(output) ?? [];
    expect((await fetch(`${url}/module`)).status).toBe(200);
    const environments = childrenOf(Number(child.pid));
    expect(environments.length).toBeGreaterThan(0);
    child.kill(signal);
    // As under npm, which passes on what the terminal has sent already.
    child.stdout?.once('data', () => child.kill(signal));
    expect(await exit).toEqual([0, null]);
    for (const pid of environments) expect(isRunning(pid)).toBe(false);
    await expect(fetch(url)).rejects.toThrow();
    expect(readdirSync(folder).filter((name) => name.startsWith('cdk-onnx-local-'))).toEqual([]);
  });

  test('a port that is none is an error with exit code 1', async () => {
    const child = start('--assembly', app.assembly, '--port', 'many');
    const errors = child.stderr?.toArray();
    expect(await once(child, 'exit')).toEqual([1, null]);
    expect(Buffer.concat((await errors) ?? []).toString()).toMatch(/^USAGE: --port is 'many'\./);
  });
});

async function waitFor(condition: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 300 && !condition(); attempt += 1) await sleep(50);
  expect(condition()).toBe(true);
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

/** A process that ended and that nobody has asked about yet counts as gone. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
