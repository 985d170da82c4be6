import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { App, Duration, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  GpuEndpoint,
  InferenceEndpoint,
  InferenceMonitoring,
  type InferenceMonitoringOptions,
  Model,
  type MonitoredModel,
  type ProvisionedConcurrency,
} from '../../lib/constructs/index.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';
import { CFN_LINT, lintStacks } from '../support/cfn-lint.js';
import { beyondLimits } from '../support/deployment-limits.js';
import { writeGpuArtifactFolder } from '../support/gpu-artifact.js';
import { routerIn } from '../support/monitored-models.js';
import {
  findingsOf,
  holdingEveryAlternative,
  nameRows,
  pairwise,
  statementsOf,
} from '../support/option-combinations.js';
import { requirePython } from '../support/python.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-monitoring-combinations-'));
const outdir = join(folder, 'cdk.out');
let faces: Model;
let onGpu: Model;
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  faces = Model.fromArtifact(writeArtifactFolder(folder));
  onGpu = Model.fromArtifact(writeGpuArtifactFolder(folder));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Part = (stack: Stack) => Partial<MonitoredModel>;
type Option = (stack: Stack) => InferenceMonitoringOptions;
const PARTS: Readonly<Record<string, readonly Part[]>> = {
  router: [() => ({}), (stack) => ({ router: routerIn(stack) })],
  gpu: [() => ({}), (stack) => ({ gpu: GpuEndpoint.realTime(stack, 'Gpu', { model: onGpu }) })],
  queue: [() => ({}), (stack) => ({ gpuQueue: GpuEndpoint.asynchronous(stack, 'Queue', { model: onGpu }) })],
};
const OPTIONS: Readonly<Record<string, readonly Option[]>> = {
  dashboard: [() => ({}), () => ({ dashboard: false }), () => ({ dashboardName: 'vision' })],
  actions: [
    () => ({}),
    (stack) => {
      const action = new SnsAction(Topic.fromTopicArn(stack, 'Topic', 'arn:aws:sns:eu-west-1:123456789012:alarms'));
      return { alarmActions: [action], okActions: [action] };
    },
  ],
  alarms: [
    () => ({}),
    () => ({
      alarms: {
        errorRate: { threshold: 5, minRequests: 100 },
        latencyP99: { threshold: 100, period: Duration.minutes(1), evaluationPeriods: 5 },
        throttles: { period: Duration.hours(1), evaluationPeriods: 24, datapointsToAlarm: 2 },
      },
    }),
    () => ({
      alarms: { errorRate: false, latencyP99: false, throttles: false, circuitOpen: false, gpuErrors: false },
    }),
  ],
  // Of the function: see `READY`.
  ready: [() => ({}), () => ({}), () => ({})],
};
const READY: readonly (ProvisionedConcurrency | undefined)[] = [undefined, { min: 2 }, { min: 1, max: 9 }];
const parts = Object.entries(PARTS);
const options = Object.entries(OPTIONS);
const rows = pairwise([...parts, ...options].map(([, alternatives]) => alternatives.length));
const nameOf = nameRows([...parts, ...options].map(([name]) => name));

const build = (row: readonly number[], { isWatched = true } = {}) => {
  const app = new App({ outdir });
  const stack = new Stack(app, 'Vision', { env: { account: '123456789012', region: 'eu-west-1' } });
  const provisionedConcurrency = READY[row.at(-1) ?? 0];
  const endpoint = new InferenceEndpoint(stack, 'Vision', {
    models: [faces],
    ...(provisionedConcurrency === undefined ? {} : { provisionedConcurrency }),
  });
  const predict = [...endpoint.functions.values()][0];
  if (predict === undefined) throw new Error('no function');
  const model: MonitoredModel = Object.assign(
    { function: predict },
    ...parts.map(([, choices], index) => choices[row[index] ?? 0]?.(stack)),
  );
  const chosen: InferenceMonitoringOptions = Object.assign(
    {},
    ...options.map(([, choices], index) => choices[row[parts.length + index] ?? 0]?.(stack)),
  );
  if (isWatched) new InferenceMonitoring(stack, 'Monitoring', { models: [model], ...chosen });
  return { app, stack };
};

describe('monitoring adds no finding and no permission, whatever it watches', () => {
  test.each(rows.map((row) => ({ name: nameOf(row), row })))('$name', ({ row }) => {
    const { stack } = build(row);
    const template = Template.fromStack(stack);
    const withoutIt = build(row, { isWatched: false });
    expect(statementsOf(template)).toEqual(statementsOf(Template.fromStack(withoutIt.stack)));
    expect(beyondLimits(template)).toEqual([]);
    const annotations = Annotations.fromStack(stack);
    const messages = [
      ...annotations.findWarning('*', Match.anyValue()),
      ...annotations.findError('*', Match.anyValue()),
    ];
    expect(messages.map(({ id, entry }) => `${id}: ${entry.data}`)).toEqual([]);
    expect(findingsOf(build(row).app, outdir).sort()).toEqual(
      findingsOf(build(row, { isWatched: false }).app, outdir).sort(),
    );
  });
});

test('cfn-lint finds nothing with any alternative', ({ skip }) => {
  const python = requirePython(CFN_LINT, skip);
  const stacks = holdingEveryAlternative(rows).map((row) => build(row).stack);
  expect(lintStacks(python, stacks, join(folder, 'linted'))).toEqual([]);
}, 600_000);
