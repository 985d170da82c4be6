import { Token } from 'aws-cdk-lib/core';
import type {
  InferenceMonitoringOptions,
  MonitoredModel,
  MonitoringAlarmOptions,
  MonitoringDriftAlarmOptions,
  MonitoringShareAlarmOptions,
} from './inference-monitoring-options.js';
import { MonitoredTraffic } from './monitored-traffic.js';
import { ALARM_KINDS, type AlarmKind, defaultMinimum, defaultPeriod, watchedBy } from './monitoring-alarms.js';
import { checkWholeNumber, type Problem } from './problems.js';

const MAX_ACTIONS = 5;
const DAY_SECONDS = 86_400;
const DASHBOARD_NAME = /^[A-Za-z0-9_-]{1,255}$/;

/** What is wrong with the properties, as far as it shows before anything is created. */
export function monitoringProblems(
  props: InferenceMonitoringOptions,
  models: readonly MonitoredModel[],
): readonly Problem[] {
  return [
    ...modelProblems(models),
    ...dashboardProblems(props),
    ...actionProblems('alarmActions', props.alarmActions),
    ...actionProblems('okActions', props.okActions),
    ...ALARM_KINDS.flatMap((kind) => alarmProblems(kind, props.alarms?.[kind], models)),
  ];
}

function modelProblems(models: readonly MonitoredModel[]): readonly Problem[] {
  const names = models.map((model) => model.function.modelName);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  return [
    ...(names.length > 0
      ? []
      : [{ code: 'MODELS_MISSING', message: 'There is no model to watch.', advice: 'Give at least one.' }]),
    ...twice.map((name) => ({
      code: 'MODEL_NAME_TWICE',
      message: `Two models are called '${name}'.`,
      advice: 'Watch each of them with an InferenceMonitoring of its own.',
    })),
  ];
}

function dashboardProblems({ dashboard, dashboardName }: InferenceMonitoringOptions): readonly Problem[] {
  if (dashboardName === undefined) return [];
  if (dashboard === false) {
    return [
      {
        code: 'DASHBOARD_NAME_WITHOUT_EFFECT',
        message: 'dashboardName is given, and dashboard is false.',
        advice: 'Leave one of them out.',
      },
    ];
  }
  if (Token.isUnresolved(dashboardName) || DASHBOARD_NAME.test(dashboardName)) return [];
  return [
    {
      code: 'DASHBOARD_NAME_INVALID',
      message: `dashboardName is '${dashboardName}'.`,
      advice: 'Give 1 to 255 letters, digits, - or _.',
    },
  ];
}

function actionProblems(name: string, actions: readonly unknown[] | undefined): readonly Problem[] {
  if (actions === undefined || actions.length <= MAX_ACTIONS) return [];
  return [
    {
      code: 'ALARM_ACTIONS_TOO_MANY',
      message: `${name} has ${actions.length} actions.`,
      advice: `CloudWatch takes ${MAX_ACTIONS}: send the alarm to one SNS topic and subscribe the others to it.`,
    },
  ];
}

function alarmProblems(
  kind: AlarmKind,
  options: (MonitoringShareAlarmOptions & MonitoringDriftAlarmOptions) | false | undefined,
  models: readonly MonitoredModel[],
): readonly Problem[] {
  if (options === undefined || options === false) return [];
  return [
    ...effectProblems(kind, models),
    ...thresholdProblems(kind, options),
    ...periodProblems(kind, options),
    ...checkWholeNumber('ALARM_INVALID', `alarms.${kind}.minRequests`, options.minRequests, {
      min: 1,
      unit: 'requests',
    }),
    ...checkWholeNumber('ALARM_INVALID', `alarms.${kind}.minValues`, options.minValues, { min: 1, unit: 'values' }),
  ];
}

function effectProblems(kind: AlarmKind, models: readonly MonitoredModel[]): readonly Problem[] {
  const isWatched = models.some(
    (model) => watchedBy(kind, new MonitoredTraffic(model, defaultPeriod(kind)), defaultMinimum(kind)).length > 0,
  );
  if (isWatched || models.length === 0) return [];
  return [
    {
      code: 'ALARM_WITHOUT_EFFECT',
      message: `alarms.${kind} has options, and no model has what it watches.`,
      advice: 'Leave it out, or monitor the models with their router, GPU, provisioned concurrency or input profile.',
    },
  ];
}

function thresholdProblems(kind: AlarmKind, { threshold }: MonitoringAlarmOptions): readonly Problem[] {
  if (threshold === undefined || Token.isUnresolved(threshold) || (Number.isFinite(threshold) && threshold > 0))
    return [];
  return [
    {
      code: 'ALARM_INVALID',
      message: `alarms.${kind}.threshold is ${threshold}.`,
      advice: 'Give a number above 0: at 0 the alarm would never be over.',
    },
  ];
}

/** https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html */
function periodProblems(kind: AlarmKind, options: MonitoringAlarmOptions): readonly Problem[] {
  const { period = defaultPeriod(kind), evaluationPeriods, datapointsToAlarm } = options;
  const name = `alarms.${kind}`;
  const counts = [
    ...checkWholeNumber('ALARM_INVALID', `${name}.evaluationPeriods`, evaluationPeriods, { min: 1, unit: 'values' }),
    ...checkWholeNumber('ALARM_INVALID', `${name}.datapointsToAlarm`, datapointsToAlarm, { min: 1, unit: 'values' }),
  ];
  if (counts.length > 0 || period.isUnresolved()) return counts;
  const seconds = period.toMilliseconds() / 1000;
  const longest = seconds < 3600 ? DAY_SECONDS : 7 * DAY_SECONDS;
  const problems: Problem[] = [];
  if (seconds % 60 !== 0 || seconds < 60 || seconds > DAY_SECONDS) {
    problems.push({
      code: 'ALARM_INVALID',
      message: `${name}.period is ${seconds} s.`,
      advice: 'Give whole minutes, up to a day.',
    });
  } else if (seconds * (evaluationPeriods ?? 1) > longest) {
    problems.push({
      code: 'ALARM_INVALID',
      message: `${name} looks at ${(seconds * (evaluationPeriods ?? 1)) / 3600} hours.`,
      advice: `CloudWatch looks at ${longest / 3600} at most, 24 or with periods of an hour and more 168: give a shorter period or fewer evaluationPeriods.`,
    });
  }
  if (evaluationPeriods !== undefined && datapointsToAlarm !== undefined && datapointsToAlarm > evaluationPeriods) {
    problems.push({
      code: 'ALARM_INVALID',
      message: `${name} wants ${datapointsToAlarm} bad values of ${evaluationPeriods}.`,
      advice: 'Give datapointsToAlarm at most evaluationPeriods.',
    });
  }
  return problems;
}
