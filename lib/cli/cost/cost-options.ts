/** What `cdk-onnx cost` is told, checked as a whole. */
import type { Architecture } from '../../artifact/manifest.js';
import { type ApiType, PRICES } from '../../cost/prices.js';
import type { ProvisionedUse } from '../../cost/serving.js';
import { ConfigurationError } from '../../errors.js';
import type { CommandArguments } from '../command.js';
import { ARCHITECTURES } from '../option-values.js';
import { ASSUMED_PROVISIONED, type GpuAssumptions } from './comparison.js';

export interface CostOptions {
  readonly rates: readonly number[];
  /** Undefined: as the app says, else the default. */
  readonly memorySize: number | undefined;
  readonly milliseconds: number | undefined;
  readonly architecture: Architecture | undefined;
  /** null: no API. */
  readonly api: ApiType | null | undefined;
  readonly provisioned: ProvisionedUse | undefined;
  readonly gpuInstance: string | undefined;
  readonly gpu: GpuAssumptions;
}

/** Of an instance, where nobody measured one. */
const ASSUMED_GPU_RATE = 100;
/** Requests at work on an instance, as target tracking keeps them: by Little's law they and the rate give the time of each. */
const CONCURRENT = 4;
/** Eight hours a day. */
const ASSUMED_DUTY_CYCLE = 1 / 3;
const POLLS = 2;

/** @throws ConfigurationError COST_OPTIONS_INVALID with everything that is wrong */
export function readCostOptions(options: CommandArguments['options']): CostOptions {
  const problems: string[] = [];
  const number = (name: string, min: number, max: number): number | undefined => {
    const text = options[name];
    if (text === undefined) return undefined;
    const value = Number(text);
    if (String(text).trim() !== '' && value >= min && value <= max) return value;
    problems.push(`--${name} is '${String(text)}': give a number from ${min} to ${max}`);
    return undefined;
  };
  const choice = <const T extends string>(name: string, choices: readonly T[]): T | undefined => {
    const text = options[name];
    const found = choices.find((known) => known === text);
    if (text !== undefined && found === undefined) {
      problems.push(`--${name} is '${String(text)}': use ${choices.join(', ')}`);
    }
    return found;
  };
  const gpuInstance = instanceOf(options.gpu, problems);
  const requestsPerSecond = number('gpu-rps', 0.001, 1e6) ?? ASSUMED_GPU_RATE;
  const api = choice('api', ['http', 'rest', 'none']);
  const read: CostOptions = {
    rates: ratesOf(options.rps, problems),
    memorySize: number('memory', 128, 10_240),
    milliseconds: number('duration-ms', 0.1, 900_000),
    architecture: choice('architecture', ARCHITECTURES),
    api: api === 'none' ? null : api,
    provisioned: provisionedOf(options.provisioned, problems),
    gpuInstance,
    gpu: {
      requestsPerSecond,
      milliseconds: number('gpu-ms', 0.1, 60_000) ?? (1000 * CONCURRENT) / requestsPerSecond,
      share: number('gpu-share', 0, 1) ?? 0,
      dutyCycle: number('duty-cycle', 0.001, 1) ?? ASSUMED_DUTY_CYCLE,
      polls: POLLS,
    },
  };
  if (problems.length === 0) return read;
  throw new ConfigurationError({
    code: 'COST_OPTIONS_INVALID',
    message: problems.join('\n'),
    advice: 'Run `cdk-onnx cost --help` for the options.',
  });
}

function ratesOf(value: string | boolean | undefined, problems: string[]): number[] {
  if (value === undefined) return [1, 10, 100];
  const rates = String(value)
    .split(',')
    .map((text) => (text.trim() === '' ? Number.NaN : Number(text)));
  if (rates.length > 12 || rates.some((rate) => !(rate > 0 && rate <= 1e6))) {
    problems.push(`--rps is '${String(value)}': give up to 12 numbers above 0, as in 1,10,100`);
  }
  return rates;
}

function provisionedOf(value: string | boolean | undefined, problems: string[]): ProvisionedUse | undefined {
  if (value === undefined) return undefined;
  const { least, most = least } = /^(?<least>\d{1,5})(-(?<most>\d{1,5}))?$/.exec(String(value))?.groups ?? {};
  const [min, max] = [Number(least), Number(most)];
  if (least === undefined || min < 1 || max < min) {
    problems.push(`--provisioned is '${String(value)}': give a number of environments, or bounds as in 2-20`);
    return undefined;
  }
  return { min, max, utilization: ASSUMED_PROVISIONED.utilization };
}

function instanceOf(value: string | boolean | undefined, problems: string[]): string | undefined {
  if (value === undefined) return undefined;
  const name = String(value);
  if (/^ml\.[a-z0-9-]+\.[a-z0-9]+$/.test(name)) return name;
  const known = Object.keys(PRICES.sageMaker.perInstanceHour).join(', ');
  problems.push(`--gpu is '${name}': give an instance of SageMaker, such as ${known}`);
  return undefined;
}
