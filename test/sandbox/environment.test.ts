/** The sandbox is what Lambda's documentation says of an execution environment; the other tests in this folder rest on it. */
import { HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import { type LocalApp, synthesizeLocalApp } from '../support/local-app.js';
import {
  egressAttempts,
  openSandbox,
  SANDBOX_NOTE,
  SANDBOX_SKIPPED,
  type Sandbox,
} from '../support/sandbox/sandbox.js';

describe.skipIf(SANDBOX_SKIPPED)(`an execution environment in the sandbox${SANDBOX_NOTE}`, () => {
  let app: LocalApp;
  let sandbox: Sandbox;
  let host: LocalHost;
  const log: string[] = [];
  const get = (path: string) => fetch(`${host.url}${path}`);
  const ask = async (path: string) => (await get(path)).json();

  beforeAll(async () => {
    app = synthesizeLocalApp({
      timeoutSeconds: 20,
      routes: [
        { function: 'probe', method: HttpMethod.ANY, path: '/{what}' },
        { function: 'commonjs', method: HttpMethod.ANY, path: '/other/{what}' },
      ],
    });
    sandbox = openSandbox();
    host = await startLocalHost({
      assembly: app.assembly,
      port: 0,
      runtime: sandbox.runtime,
      log: (line) => log.push(line),
    });
  });
  afterAll(async () => {
    await host?.close();
    sandbox?.remove();
    app?.remove();
  });

  test('has Node.js 24, /var/task and a user without rights', async () => {
    expect(await ask('/who')).toEqual({
      uid: 993,
      gid: 990,
      version: expect.stringMatching(/^v24\./),
      cwd: '/var/task',
      pid: expect.any(Number),
    });
  });

  test('writes to /tmp and nowhere else', async () => {
    const { '/tmp/x': tmp, ...others } = (await ask('/write')) as Record<string, string>;
    expect(tmp).toBe('done');
    expect(Object.keys(others)).toHaveLength(9);
    for (const [path, code] of Object.entries(others)) {
      expect(['EROFS', 'EACCES', 'ENOENT', 'EPERM'], path).toContain(code);
    }
    expect(others['/var/task/x']).toBe('EROFS');
    expect(others['/opt/x']).toBe('EROFS');
  });

  test('has 512 MiB of /tmp, and an error when they are full', async () => {
    const { bytes, code, size } = (await ask('/fill')) as { bytes: number; code: string; size: number };
    expect(code).toBe('ENOSPC');
    expect(bytes / 1024 / 1024).toBeGreaterThan(450);
    expect(size / 1024 / 1024).toBeLessThanOrEqual(512);
  });

  test('has its memory and no more: the process dies, and the next request starts another', async () => {
    expect(await ask('/hog?mib=128')).toEqual({ mib: 128 });
    const died = await get('/hog?mib=1024');
    expect(died.status).toBe(500);
    expect(
      log.some((line) => /137|SIGKILL/.test(line)),
      log.slice(-3).join('\n'),
    ).toBe(true);
    expect((await get('/who')).status).toBe(200);
    expect(log.at(-1)).toMatch(/ cold: /);
  });

  test('has its share of a CPU', async () => {
    // 512 MB of 1,769: 0.29 of one.
    const { share } = (await ask('/burn?ms=1500')) as { share: number };
    expect(share).toBeGreaterThan(0.05);
    expect(share).toBeLessThan(0.36);
  });

  test('reaches nothing, and an attempt is seen', async () => {
    await ask('/who');
    const pid = sandbox.processes().at(-1) ?? 0;
    const before = egressAttempts(pid);
    expect(await ask('/connect?host=1.1.1.1&port=443')).toEqual({ code: 'ENETUNREACH' });
    expect(await ask('/connect?host=169.254.169.254&port=80')).toEqual({ code: 'ENETUNREACH' });
    const middle = egressAttempts(pid);
    expect(middle.noRoute).toBeGreaterThanOrEqual(before.noRoute + 2);
    expect(await ask('/lookup?host=example.com')).toEqual({ code: expect.stringMatching(/^E/) });
    expect(egressAttempts(pid).datagrams).toBeGreaterThan(middle.datagrams);
  });
});
