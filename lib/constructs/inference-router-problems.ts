import { completePolicy } from '../artifact/router-policy.js';
import { MEMORY_MIB } from '../artifact/size-plan.js';
import { functionLogProblems, KEEP_VERSIONS, RESERVED_CONCURRENCY } from './inference-function-problems.js';
import type { InferenceRouterOptions, InferenceRouterProps } from './inference-router-options.js';
import { checkWholeNumber, type Problem } from './problems.js';
import { provisionedConcurrencyProblems } from './provisioned-concurrency.js';
import { telemetryProblems } from './telemetry.js';
import { vpcProblems } from './vpc-problems.js';

/** Below it the router's CPU share makes a request of 1 MB wait longer than most models compute. */
const MIN_MEMORY_MIB = 512;

/** What is wrong with a router's properties. */
export function routerProblems(props: InferenceRouterProps): Problem[] {
  const { inferenceFunction, gpuEndpoint, gpuQueue } = props;
  const targets = [gpuEndpoint, gpuQueue].flatMap((target) => target ?? []);
  return [
    ...(targets.length > 0
      ? []
      : [
          {
            code: 'ROUTER_WITHOUT_GPU',
            message: 'Neither gpuEndpoint nor gpuQueue is given, so there is nothing to route to.',
            advice: 'Give one of them, or use the InferenceFunction alone.',
          },
        ]),
    ...targets
      .filter(({ modelName }) => modelName !== inferenceFunction.modelName)
      .map(({ modelName, node }) => ({
        code: 'ROUTER_MODELS_DIFFER',
        message: `${node.path} serves the model ${modelName}, and the function ${inferenceFunction.modelName}.`,
        advice: 'Give the same Model to both.',
      })),
    ...routerOptionProblems(props, gpuQueue !== undefined),
  ];
}

/** Of those that do not depend on other constructs. */
export function routerOptionProblems(options: InferenceRouterOptions, hasQueue: boolean): Problem[] {
  const { memorySize, reservedConcurrentExecutions, keepVersions } = options;
  return [
    ...checkWholeNumber('MEMORY_SIZE_INVALID', 'memorySize', memorySize, {
      min: MIN_MEMORY_MIB,
      max: MEMORY_MIB.max,
      unit: 'MiB',
    }),
    ...checkWholeNumber(
      'RESERVED_CONCURRENCY_INVALID',
      'reservedConcurrentExecutions',
      reservedConcurrentExecutions,
      RESERVED_CONCURRENCY,
    ),
    ...provisionedConcurrencyProblems(options.provisionedConcurrency || undefined, { reservedConcurrentExecutions }),
    ...checkWholeNumber('KEEP_VERSIONS_INVALID', 'keepVersions', keepVersions, KEEP_VERSIONS),
    ...policyProblems(options, hasQueue),
    ...functionLogProblems(options),
    ...vpcProblems(options),
    ...telemetryProblems(options),
  ];
}

function policyProblems({ policy }: InferenceRouterOptions, hasQueue: boolean): Problem[] {
  if (policy === undefined) return [];
  const { problems, policy: complete } = completePolicy({ ...policy });
  if (problems.length > 0) {
    return problems.map((problem) => ({
      code: 'POLICY_INVALID',
      message: `policy.${problem}`,
      advice: 'What a policy leaves out has a default; times are in milliseconds.',
    }));
  }
  if (complete.onGpuUnavailable === 'queue' && !hasQueue) {
    return [
      {
        code: 'POLICY_QUEUE_MISSING',
        message: "policy.onGpuUnavailable is 'queue', and there is no queue.",
        advice: "Give a GpuEndpoint.asynchronous, or leave 'fail'.",
      },
    ];
  }
  return [];
}
