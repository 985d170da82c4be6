/** Our function dies in the middle of a request: the caller is told, and the next one is served by a new environment. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send } from '../support/bad-request-table.js';
import { type ServedEndpoint, serveEndpoint } from '../support/served-endpoint.js';

let endpoint: ServedEndpoint;
beforeAll(async () => {
  endpoint = await serveEndpoint({ faces: false, echoes: { one: [{ name: 'x', dataType: 'float32', shape: ['N'] }] } });
});
afterAll(() => endpoint?.close());

const PREDICT = '/v1/models/one:predict';
const small = { path: PREDICT, body: '{"instances":[1]}' };
/** Tenths of a second of work. */
const large = { path: PREDICT, body: `{"instances":[${'0.5,'.repeat(1_400_000)}1]}` };

test.runIf(process.platform === 'linux').each(['SIGKILL', 'SIGSEGV', 'SIGABRT'] as const)(
  'by %s: that request fails, those after it are answered',
  async (signal) => {
    expect((await send(endpoint.host.url, small)).status).toBe(200);
    const [environment, ...others] = environmentsOf(process.pid);
    expect(others).toEqual([]);
    const underWay = send(endpoint.host.url, large);
    const before = cpuTicks(Number(environment));
    while (cpuTicks(Number(environment)) < before + 10) await sleep(5);
    process.kill(Number(environment), signal);
    const answer = await underWay;
    expect([answer.status, answer.body.toString()]).toEqual([500, '{"message":"Internal Server Error"}']);
    expect(endpoint.log.filter((line) => line.startsWith('POST')).at(-1)).toMatch(
      new RegExp(`500 one#\\d+ warm.*; the environment ended: signal ${signal}$`),
    );
    expect((await send(endpoint.host.url, small)).status).toBe(200);
    expect(endpoint.log.at(-1)).toMatch(/200 one#\d+ cold: init/);
    expect(environmentsOf(process.pid)).not.toContain(environment);
    expect((await send(endpoint.host.url, large)).status).toBe(200);
  },
);

/** Children of a process that run the runtime client. */
function environmentsOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => statOf(pid)[1] === String(parent) && statOf(pid)[0] !== 'Z' && isEnvironment(pid));
}

function isEnvironment(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('bootstrap');
  } catch {
    return false;
  }
}

/** Hundredths of a second of the processor's time, in user mode. */
function cpuTicks(pid: number): number {
  return Number(statOf(pid)[11] ?? Number.POSITIVE_INFINITY);
}

/** Of /proc/PID/stat, what comes after the name: state, parent, … (proc(5)); empty where there is no such process. */
function statOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  } catch {
    return [];
  }
}
