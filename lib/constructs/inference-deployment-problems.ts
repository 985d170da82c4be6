import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Duration, Token } from 'aws-cdk-lib/core';
import type { InferenceDeployment, TrafficShift } from './inference-deployment.js';
import type { InferenceReplay, InferenceRollback, ReplayRequests } from './inference-deployment-options.js';
import { checkSeconds, checkWholeNumber, type Problem } from './problems.js';
import { greatestConcurrency, type ProvisionedConcurrency } from './provisioned-concurrency.js';

/** https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html: 48 hours between the first and the last shift. */
const MAX_SHIFT_MINUTES = 48 * 60;
/** https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-codedeploy-deploymentgroup-alarmconfiguration.html */
const MAX_ALARMS = 10;
/** A layer's unzipped limit is five times that; no deployment waits for more. */
const MAX_RECORDING_BYTES = 50 * 1024 * 1024;

/** Options of the function. */
interface Deployed {
  readonly timeout?: Duration;
  readonly publishMetrics?: boolean;
  readonly provisionedConcurrency?: ProvisionedConcurrency;
  readonly reservedConcurrentExecutions?: number;
}

export function deploymentProblems(deployment: InferenceDeployment | undefined, deployed: Deployed): Problem[] {
  if (deployment === undefined) return [];
  const { timeout, publishMetrics } = deployed;
  const { shift, options } = deployment;
  return [
    ...shiftProblems(shift),
    ...rollbackProblems(options.rollback ?? {}, { timeout, publishMetrics }),
    ...(options.replay ? replayProblems(options.replay) : []),
    ...(options.replay === false ? [] : concurrencyProblems(deployed)),
  ];
}

/** https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html: where all of it is provisioned, other versions are throttled. */
function concurrencyProblems({ provisionedConcurrency, reservedConcurrentExecutions: reserved }: Deployed): Problem[] {
  if (provisionedConcurrency === undefined || reserved === undefined || Token.isUnresolved(reserved)) return [];
  const most = greatestConcurrency(provisionedConcurrency);
  if (most !== reserved) return [];
  return [
    {
      code: 'RESERVED_CONCURRENCY_TOO_SMALL',
      message: `reservedConcurrentExecutions is ${reserved}, all of it provisioned, and deployment replays requests to a version that has none yet.`,
      advice: `Reserve more than ${most}, or leave the replay out: replay: false.`,
    },
  ];
}

function shiftProblems(shift: TrafficShift): Problem[] {
  if (shift.kind === 'all-at-once') return [];
  const { kind, percent, minutes } = shift;
  const problems = [
    ...checkWholeNumber('DEPLOYMENT_PERCENT_INVALID', 'deployment.percent', percent, {
      min: 1,
      max: 99,
      unit: 'percent',
    }),
    ...checkWholeNumber('DEPLOYMENT_INTERVAL_INVALID', 'deployment.interval', minutes, {
      min: 1,
      max: MAX_SHIFT_MINUTES,
      unit: 'minutes',
    }),
  ];
  if (problems.length > 0 || kind === 'canary' || Token.isUnresolved(percent) || Token.isUnresolved(minutes)) {
    return problems;
  }
  const shifts = Math.ceil(100 / percent);
  const total = (shifts - 1) * minutes;
  if (total <= MAX_SHIFT_MINUTES) return [];
  return [
    {
      code: 'DEPLOYMENT_TOO_LONG',
      message: `A linear deployment of ${shifts} parts at an interval of ${minutes} minutes takes ${total} minutes.`,
      advice: `Stay within ${MAX_SHIFT_MINUTES} minutes: give larger parts or a shorter interval.`,
    },
  ];
}

function rollbackProblems(
  { functionErrors, serverErrors, latency, alarms = [] }: InferenceRollback,
  { timeout, publishMetrics }: { readonly timeout: Duration | undefined; readonly publishMetrics: boolean | undefined },
): Problem[] {
  const problems = checkWholeNumber('ROLLBACK_INVALID', 'deployment.rollback.functionErrors', functionErrors, {
    min: 1,
    unit: 'errors in a minute',
  });
  if (serverErrors !== undefined && serverErrors !== false) {
    problems.push(
      ...checkWholeNumber('ROLLBACK_INVALID', 'deployment.rollback.serverErrors', serverErrors, {
        min: 1,
        unit: 'answers in a minute',
      }),
    );
    if (publishMetrics === false) {
      problems.push({
        code: 'METRICS_TURNED_OFF',
        message: 'deployment.rollback.serverErrors is given, and publishMetrics is false.',
        advice: 'Leave one of them out: the function has no metric of its answers.',
      });
    }
  }
  const own = serverErrors === false || publishMetrics === false ? 2 : 3;
  if (own + alarms.length > MAX_ALARMS) {
    problems.push({
      code: 'ROLLBACK_ALARMS_TOO_MANY',
      message: `deployment.rollback.alarms has ${alarms.length} alarms, beside which there are ${own}.`,
      advice: `CodeDeploy takes ${MAX_ALARMS} in all: put several into a CompositeAlarm.`,
    });
  }
  const longest = timeout === undefined || timeout.isUnresolved() ? 900 : timeout.toMilliseconds() / 1000;
  return [
    ...problems,
    ...checkSeconds('ROLLBACK_INVALID', 'deployment.rollback.latency', latency, {
      min: 0.001,
      max: longest,
      reason: 'nothing takes longer than the timeout',
    }),
  ];
}

function replayProblems(replay: InferenceReplay): Problem[] {
  const { tolerance = {}, predictions, maxDifferentShare, maxRequests, timeout, requests } = replay;
  const problems = [
    ...checkShare('deployment.replay.tolerance.absolute', tolerance.absolute, Number.POSITIVE_INFINITY),
    ...checkShare('deployment.replay.tolerance.relative', tolerance.relative, Number.POSITIVE_INFINITY),
    ...checkShare('deployment.replay.maxDifferentShare', maxDifferentShare, 1),
    ...checkWholeNumber('REPLAY_INVALID', 'deployment.replay.maxRequests', maxRequests, {
      min: 1,
      max: 10_000,
      unit: 'requests',
    }),
    ...checkSeconds('REPLAY_INVALID', 'deployment.replay.timeout', timeout, {
      min: 60,
      max: 900,
      reason: 'some environments start meanwhile, and Lambda runs a function for 15 minutes at most',
    }),
    ...(requests === undefined ? [] : recordingProblems(requests)),
  ];
  if (predictions === 'may-change' && replay.tolerance !== undefined) {
    problems.push({
      code: 'TOLERANCE_WITHOUT_EFFECT',
      message: "deployment.replay.tolerance is given, and predictions is 'may-change'.",
      advice: 'Leave one of them out.',
    });
  }
  return problems;
}

function checkShare(name: string, value: number | undefined, max: number): Problem[] {
  if (value === undefined || Token.isUnresolved(value)) return [];
  if (value >= 0 && value <= max && Number.isFinite(value)) return [];
  return [
    {
      code: 'REPLAY_INVALID',
      message: `${name} is ${value}.`,
      advice: `Give a number ${Number.isFinite(max) ? `from 0 to ${max}` : 'of 0 or more'}.`,
    },
  ];
}

function recordingProblems({ _source: source }: ReplayRequests): Problem[] {
  if (source.kind !== 'folder' || Token.isUnresolved(source.path)) return [];
  const problem = (message: string) => [
    {
      code: 'RECORDING_INVALID',
      message,
      advice: 'Give a folder with files *.jsonl, each line { "request": { "method", "path", … }, "response": { … } }.',
    },
  ];
  const files = recordingFiles(source.path);
  if (files === undefined) return problem(`${source.path} is no folder.`);
  if (files.length === 0) return problem(`${source.path} has no file *.jsonl.`);
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  if (bytes > MAX_RECORDING_BYTES) return problem(`${source.path} has ${bytes} bytes, above ${MAX_RECORDING_BYTES}.`);
  for (const file of files) {
    const lines = readFileSync(file, 'utf8').split('\n');
    const wrong = lines.findIndex((line) => line.trim() !== '' && !isRecord(line));
    if (wrong >= 0) return problem(`${file} has no record in line ${wrong + 1}.`);
  }
  return [];
}

function recordingFiles(folder: string): readonly string[] | undefined {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.jsonl'))
    .map((file) => join(folder, file));
}

function isRecord(line: string): boolean {
  try {
    const { request } = JSON.parse(line) as {
      readonly request?: { readonly method?: unknown; readonly path?: unknown };
    };
    return typeof request?.method === 'string' && typeof request.path === 'string';
  } catch {
    return false;
  }
}
