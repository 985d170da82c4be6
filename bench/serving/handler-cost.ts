/** What the handler costs beyond `session.run`: the real bundle beside FastAPI with onnxruntime, each in a process of its own. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { node24 } from '../node24.js';
import { median, type SuiteContext } from '../suite.js';
import { pythonOf } from './peers.js';

/** Subjects take turns: a round of each, again and again, because the machine's speed drifts. */
const ROUNDS = 5;
const RUNS_PER_ROUND = 100;

/** Milliseconds of one call. */
interface Sample {
  readonly wall: number;
  readonly cpu: number;
}

interface Round {
  /** `session.run` alone. */
  readonly bare: readonly Sample[];
  /** The whole handler, in turn with it. */
  readonly handled: readonly Sample[];
}

interface Subject {
  readonly name: string;
  measure(): Round;
}

export interface HandlerCostOptions {
  /** Holds the bundle and the layer, as `prepareFunction` lays them out. */
  readonly functionFolder: string;
  readonly artifact: string;
}

export function handlerCost({ row, bar, note }: SuiteContext, { functionFolder, artifact }: HandlerCostOptions): void {
  const environment = {
    PATH: process.env.PATH,
    NODE_PATH: join(functionFolder, 'opt/nodejs/node_modules'),
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1769',
    ORT_DISABLE_TELEMETRY: '1',
    MODEL: join(artifact, 'model.onnx'),
  };
  const measure = (command: string, args: readonly string[]) => () =>
    JSON.parse(lastLine(command, [...args, String(RUNS_PER_ROUND)], environment)) as Round;
  const handler = [
    join(import.meta.dirname, 'handler-process.mjs'),
    join(functionFolder, 'task/predict/index.mjs'),
    artifact,
  ];
  const ours: Subject = { name: "our handler, Lambda's Node", measure: measure(node24(), handler) };
  const subjects: Subject[] = [ours, { name: 'our handler, this Node', measure: measure(process.execPath, handler) }];
  const python = pythonOf('fastapi', note);
  const peers = { asgi: 'FastAPI, body as bytes', mangum: 'FastAPI on Lambda, by Mangum' };
  for (const [adapter, name] of Object.entries(peers)) {
    if (python === undefined) {
      row({ case: 'handler', subject: name, metric: 'added median', value: null, unit: 'ms', note: 'none here' });
      continue;
    }
    const script = join(import.meta.dirname, 'fastapi_process.py');
    subjects.push({ name, measure: measure(python, [script, adapter]) });
  }

  const rounds = Array.from({ length: ROUNDS }, () => subjects.map((subject) => subject.measure()));
  const costs = subjects.map(({ name }, index) => {
    const own = rounds.flatMap((round) => round[index] ?? []);
    const cost = {
      bare: median(own.flatMap(({ bare }) => bare.map(({ wall }) => wall))),
      added: median(own.flatMap(({ bare, handled }) => addedByPair(bare, handled))),
      cpu: own.map(({ bare, handled }) => mean(handled) - mean(bare)),
    };
    const shown: [string, number][] = [
      ['bare median', cost.bare],
      ['added median', cost.added],
      ['cpu added, median', median(cost.cpu)],
      ['cpu added, least', Math.min(...cost.cpu)],
      ['cpu added, most', Math.max(...cost.cpu)],
    ];
    for (const [metric, value] of shown) row({ case: 'handler', subject: name, metric, value, unit: 'ms' });
    return { name, ...cost };
  });

  const [own] = costs;
  bar('handler over bare session.run, ms at the median', own?.added ?? null, { max: 1 });
  for (const name of Object.values(peers)) {
    const peer = costs.find((cost) => cost.name === name);
    const ratios = peer?.cpu.map((cpu, round) => (own?.cpu[round] ?? Number.NaN) / cpu);
    bar(`CPU beyond session.run / ${name}`, ratios === undefined ? null : median(ratios), { max: 1 });
  }
}

function addedByPair(bare: readonly Sample[], handled: readonly Sample[]): number[] {
  return handled.map(({ wall }, index) => wall - (bare[index]?.wall ?? Number.NaN));
}

/** The mean, not the median: garbage collection is part of the cost. */
function mean(samples: readonly Sample[]): number {
  return samples.reduce((sum, { cpu }) => sum + cpu, 0) / samples.length;
}

function lastLine(command: string, args: readonly string[], env: NodeJS.ProcessEnv): string {
  const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
  const output = execFileSync(command, args, { encoding: 'utf8', env, maxBuffer: 1 << 26, stdio });
  return output.trim().split('\n').at(-1) ?? '';
}
