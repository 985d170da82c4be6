import { type Alarm, Dashboard, type IWidget } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { PRICES } from '../cost/prices.js';
import type {
  InferenceMonitoringOptions,
  InferenceMonitoringProps,
  MonitoredModel,
} from './inference-monitoring-options.js';
import { monitoringProblems } from './inference-monitoring-problems.js';
import { MonitoredTraffic } from './monitored-traffic.js';
import { createAlarms, DEFAULT_PERIOD } from './monitoring-alarms.js';
import { DASHBOARD_LIMITS, modelWidgets, sizeOf } from './monitoring-widgets.js';
import { type Problem, throwProblems } from './problems.js';

/**
 * A dashboard of an endpoint's models and alarms for each of them.
 *
 * @example
 * new InferenceMonitoring(this, 'Monitoring', { endpoint, alarmActions: [new SnsAction(topic)] });
 *
 * @throws SynthesisError with every fault of the properties
 */
export class InferenceMonitoring extends Construct {
  /** All models on one page; undefined where none was asked for. */
  readonly dashboard: Dashboard | undefined;
  /** By model and kind: `faces/ErrorRate`. */
  readonly alarms: ReadonlyMap<string, Alarm>;

  constructor(scope: Construct, id: string, props: InferenceMonitoringProps) {
    super(scope, id);
    const models = modelsOf(props);
    throwProblems(this.node.path, monitoringProblems(props, models));
    this.dashboard = props.dashboard === false ? undefined : this.createDashboard(models, props);
    this.alarms = new Map(models.flatMap((model) => this.createAlarmsOf(model, props)));
    const { endpoint } = props;
    if (endpoint !== undefined) {
      this.node.addValidation({
        validate: () => unwatched(models, [...endpoint.functions.keys()]),
      });
    }
  }

  private createDashboard(models: readonly MonitoredModel[], props: InferenceMonitoringOptions): Dashboard {
    const { dashboardName, prices = PRICES } = props;
    const widgets = models.map((model) => modelWidgets(new MonitoredTraffic(model, DEFAULT_PERIOD), prices));
    throwProblems(this.node.path, sizeProblems(widgets.flat()));
    return new Dashboard(this, 'Dashboard', {
      widgets: widgets.map((row) => [...row]),
      ...(dashboardName === undefined ? {} : { dashboardName }),
    });
  }

  private createAlarmsOf(model: MonitoredModel, props: InferenceMonitoringOptions): readonly [string, Alarm][] {
    const { alarms, alarmActions = [], okActions = [] } = props;
    const { modelName } = model.function;
    return createAlarms(new Construct(this, modelName), model, alarms).map((alarm) => {
      alarm.addAlarmAction(...alarmActions);
      alarm.addOkAction(...okActions);
      return [`${modelName}/${alarm.node.id}`, alarm];
    });
  }
}

function modelsOf({ endpoint, models }: InferenceMonitoringProps): readonly MonitoredModel[] {
  if (endpoint === undefined) return models;
  return [...endpoint.functions].map(([name, inferenceFunction]) => {
    const router = endpoint.routers.get(name);
    const { gpuEndpoint, gpuQueue } = router ?? {};
    return {
      function: inferenceFunction,
      ...(router === undefined ? {} : { router }),
      ...(gpuEndpoint === undefined ? {} : { gpu: gpuEndpoint }),
      ...(gpuQueue === undefined ? {} : { gpuQueue }),
    };
  });
}

function sizeProblems(widgets: readonly IWidget[]): readonly Problem[] {
  const size = sizeOf(widgets);
  if (size.widgets <= DASHBOARD_LIMITS.widgets && size.metrics <= DASHBOARD_LIMITS.metrics) return [];
  return [
    {
      code: 'DASHBOARD_TOO_LARGE',
      message: `The dashboard has ${size.widgets} widgets with ${size.metrics} metrics; CloudWatch takes ${DASHBOARD_LIMITS.widgets} with ${DASHBOARD_LIMITS.metrics}.`,
      advice: 'Give the models to several InferenceMonitorings.',
    },
  ];
}

function unwatched(models: readonly MonitoredModel[], names: readonly string[]): string[] {
  const watched = new Set(models.map((model) => model.function.modelName));
  return names
    .filter((name) => !watched.has(name))
    .map((name) => `The model '${name}' was added behind the InferenceMonitoring. Call addModel before it.`);
}
