/** One environment from nothing, in the sandbox, with the first requests that it gets. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExecutionEnvironment, type RuntimeCommand } from '../../lib/local/execution-environment.js';
import type { LocalFunction } from '../../lib/local/local-stack.js';
import type { Subject } from './subjects.js';
import { answersIn } from './timings.js';

/** Nothing here takes so long. */
const LIMIT_MS = 60_000;
const PAUSE_MS = 5;

export interface StartOptions {
  readonly runtime: RuntimeCommand;
  readonly memoryMiB: number;
  /** What the answers must be. */
  readonly expected: Float32Array;
  /** Default 1. */
  readonly requests?: number;
}

/** All that the subject wrote. @throws Error when it does not start or an answer is not correct */
export async function startOnce(subject: Subject, options: StartOptions): Promise<string[]> {
  const lines: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-bench-'));
  const environment = new ExecutionEnvironment({
    function: functionOf(subject, options.memoryMiB),
    optFolder: subject.opt,
    temporaryFolder: join(folder, 'tmp'),
    region: 'us-east-1',
    logStream: 'bench',
    host: process.env,
    runtime: options.runtime,
    onLine: (line) => lines.push(line),
  });
  const fail = (reason: string) => new Error(`${subject.name}: ${reason}\n${lines.join('\n')}`);
  try {
    const init = await environment.start(LIMIT_MS);
    if (init.kind !== 'ready') throw fail(init.kind === 'failed' ? init.reason : 'its init phase did not end');
    for (let request = 1; request <= (options.requests ?? 1); request++) {
      const outcome = await environment.invoke(randomUUID(), JSON.stringify(subject.event), LIMIT_MS);
      if (outcome.kind !== 'response') throw fail(JSON.stringify(outcome));
      const difference = differenceOf(subject, outcome.payload, options.expected);
      // Not the other way round: NaN is no correct answer.
      if (!(difference <= subject.tolerance)) throw fail(`its answer differs by ${difference}`);
      for (let waited = 0; answersIn(lines) < request && waited < LIMIT_MS; waited += PAUSE_MS) await sleep(PAUSE_MS);
    }
    return lines;
  } finally {
    await environment.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

function functionOf({ task, environment, runtime, opt }: Subject, memoryMiB: number): LocalFunction {
  return {
    ...{ id: 'bench', label: 'bench', names: ['bench'], arn: 'arn:aws:lambda:us-east-1:111111111111:function:bench' },
    ...{ versions: new Map(), invokes: [], objects: new Map(), timeoutSeconds: LIMIT_MS / 1000 },
    ...{ codeFolder: task, layerFolders: [opt], handler: 'clock.handler', runtime, memoryMiB, environment },
    architecture: process.arch === 'arm64' ? 'arm64' : 'x86_64',
  };
}

/** max|Δ| / max|y|; infinite for an answer that is none. */
function differenceOf(subject: Subject, payload: string, expected: Float32Array): number {
  const {
    statusCode,
    headers = {},
    body,
  } = JSON.parse(payload) as {
    statusCode: number;
    headers?: Record<string, string>;
    body: string;
  };
  const bytes = new Uint8Array(Buffer.from(body, 'base64').subarray(subject.headerLength(headers)));
  if (statusCode !== 200 || bytes.byteLength !== expected.byteLength) return Number.POSITIVE_INFINITY;
  const answer = new Float32Array(bytes.buffer);
  let [difference, largest] = [0, 0];
  for (const [index, value] of expected.entries()) {
    // `Math.max` keeps a NaN.
    difference = Math.max(difference, Math.abs((answer[index] ?? Number.NaN) - value));
    largest = Math.max(largest, Math.abs(value));
  }
  return difference / largest;
}
