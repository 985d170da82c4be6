import { ApiKey, type IApiKey, type Period, type RestApi, type UsagePlan } from 'aws-cdk-lib/aws-apigateway';
import type { Construct } from 'constructs';
import type { InferenceThrottle } from './inference-api-options.js';
import { checkThrottle, checkWholeNumber, type Problem } from './problems.js';

/** What each caller of one plan may use. */
export interface UsagePlanOptions {
  /** Unique in the API. */
  readonly name: string;
  /**
   * How many requests each key may send; more get a 429.
   * @default - as many as the API takes
   */
  readonly throttle?: InferenceThrottle;
  /**
   * How many requests each key may send in a day, a week or a month; more get a 429.
   * @default - any number
   */
  readonly quota?: UsageQuota;
  /**
   * Keys that exist, or names of keys to create; API Gateway makes their values up (`aws apigateway get-api-key --include-value`). A key
   * belongs to one plan.
   * @default - none: add them to the plan, see `InferenceApi.usagePlans`
   */
  readonly apiKeys?: readonly (IApiKey | string)[];
}

/** How many requests a key has in a period. */
export interface UsageQuota {
  /** Requests. */
  readonly limit: number;
  /** After it, counting begins anew. */
  readonly period: Period;
}

/** Plans for a REST API's stage, by name. */
export function createUsagePlans(
  scope: Construct,
  api: RestApi,
  plans: readonly UsagePlanOptions[],
): ReadonlyMap<string, UsagePlan> {
  return new Map(
    plans.map(({ name, throttle, quota, apiKeys = [] }) => {
      const plan = api.addUsagePlan(`UsagePlan-${name}`, {
        name,
        apiStages: [{ stage: api.deploymentStage }],
        ...(throttle === undefined ? {} : { throttle: { ...throttle } }),
        ...(quota === undefined ? {} : { quota: { ...quota } }),
      });
      for (const key of apiKeys) {
        // The name of a resource that has to be replaced cannot be given twice, so it goes into the description.
        plan.addApiKey(typeof key === 'string' ? new ApiKey(scope, `ApiKey-${key}`, { description: key }) : key);
      }
      return [name, plan];
    }),
  );
}

const NAME = /^[A-Za-z0-9_.-]{1,100}$/;

/** What is wrong with plans. */
export function usagePlanProblems(plans: readonly UsagePlanOptions[] = []): Problem[] {
  const keys = plans.flatMap(({ apiKeys = [] }) => apiKeys);
  return [
    ...plans.flatMap(planProblems),
    ...repeated(plans.map(({ name }) => name)).map((name) => ({
      code: 'USAGE_PLAN_NAME_TWICE',
      message: `Two usage plans are named ${name}.`,
      advice: 'Give each plan its own name.',
    })),
    ...[...new Set(keys.filter((key, index) => keys.indexOf(key) !== index))].map((key) => ({
      code: 'API_KEY_TWICE',
      message: `The API key ${typeof key === 'string' ? key : key.node.path} is given twice.`,
      advice: 'API Gateway takes a key in one plan of an API only: give each plan its own keys.',
    })),
  ];
}

function planProblems({ name, throttle, quota, apiKeys = [] }: UsagePlanOptions): Problem[] {
  const names = [name, ...apiKeys.filter((key) => typeof key === 'string')];
  return [
    ...names
      .filter((given) => !NAME.test(given))
      .map((given) => ({
        code: 'USAGE_PLAN_NAME_INVALID',
        message: `A usage plan or an API key is named '${given}'.`,
        advice: 'Use letters, digits, _, . and -, 100 at most.',
      })),
    ...checkThrottle(`usagePlans ${name}: throttle`, throttle),
    ...checkWholeNumber('USAGE_QUOTA_INVALID', `usagePlans ${name}: quota.limit`, quota?.limit, {
      min: 1,
      unit: 'requests',
    }),
  ];
}

function repeated(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}
