/**
 * How much of an account's concurrency a router and the function behind it have for their own. A request holds an execution of either, and
 * without parts of their own a burst of predictions takes from the router what it needs to send them elsewhere.
 */
import type { CfnFunction, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Annotations, Token } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { InferenceFunctionOptions } from './inference-function-options.js';
import { greatestConcurrency, type ProvisionedConcurrency } from './provisioned-concurrency.js';

/**
 * Ten models fit an account with Lambda's default quota of 1,000, of which 100 stay for functions that reserve none: 10 × (30 + 60) = 900.
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html. At 50 ms a prediction, 30 executions are 600 a second.
 */
const PREDICT_CONCURRENCY = 30;
/** A request that waits for the GPU holds one of the router's and none of the other's. */
const ROUTER_PER_PREDICT = 2;

/** For the hook of a deployment: the new version that it asks has no provisioned environments yet. */
const FOR_NEW_VERSION = 5;

/**
 * For the function behind a router whose options do not say; undefined where only the deployment knows how much is provisioned, because
 * Lambda takes that out of what is reserved.
 */
export function predictConcurrency({
  provisionedConcurrency,
  deployment,
}: Pick<InferenceFunctionOptions, 'provisionedConcurrency' | 'deployment'>): number | undefined {
  const provisioned = greatestOf(provisionedConcurrency);
  const forNewVersion = deployment === undefined || deployment.options.replay === false ? 0 : FOR_NEW_VERSION;
  return provisioned === undefined ? undefined : Math.max(PREDICT_CONCURRENCY, provisioned + forNewVersion);
}

/** For a router whose options do not say; undefined as for the function. */
export function routerConcurrency(
  predict: number | undefined,
  provisioned: ProvisionedConcurrency | undefined,
): number | undefined {
  const behind = predict === undefined || Token.isUnresolved(predict) ? 0 : predict;
  const own = greatestOf(provisioned);
  if (own === undefined) return undefined;
  return Math.max(PREDICT_CONCURRENCY * ROUTER_PER_PREDICT, behind * ROUTER_PER_PREDICT, own);
}

/** Undefined where it has none of its own. */
export function reservedOf({ node }: LambdaFunction): number | undefined {
  return (node.defaultChild as CfnFunction).reservedConcurrentExecutions;
}

/** Says what is taken of the account, or why taking nothing is a risk. */
export function announceConcurrency(
  router: Construct,
  modelName: string,
  of: { readonly predict: number | undefined; readonly router: number | undefined },
): void {
  const annotations = Annotations.of(router);
  const without = [
    ...(of.predict === undefined ? [`the function of ${modelName}`] : []),
    ...(of.router === undefined ? ['its router'] : []),
  ];
  if (without.length > 0) {
    annotations.addWarningV2(
      'cdk-onnx:router-concurrency',
      `Each request holds an execution of the function of ${modelName} and one of its router, and both come from one pool of the account: a ` +
        `burst throttles the router, which API Gateway answers with 500, as soon as the pool is empty. No concurrency of its own: ` +
        `${without.join(' and ')}. Give reservedConcurrentExecutions, or leave reserveConcurrency out.`,
    );
    return;
  }
  annotations.addInfoV2(
    'cdk-onnx:reserved-concurrency',
    `${shown(of.predict)} executions of the account's concurrency are reserved for the function of ${modelName}, and ${shown(of.router)} for its router. An ` +
      'account gives away its quota (1,000 unless changed) but 100. New accounts may have 10: there the deployment fails until the quota ' +
      "'Concurrent executions' of Lambda is raised, or reserveConcurrency is false.",
  );
}

function greatestOf(provisioned: ProvisionedConcurrency | undefined): number | undefined {
  return provisioned === undefined ? 0 : greatestConcurrency(provisioned);
}

function shown(executions: number | undefined): string {
  return Token.isUnresolved(executions) ? 'Some' : String(executions);
}
