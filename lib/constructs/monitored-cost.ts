/** What a model's requests cost, as an expression over its metrics. */
import { type IMetric, MathExpression } from 'aws-cdk-lib/aws-cloudwatch';
import type { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import type { CfnEndpointConfig } from 'aws-cdk-lib/aws-sagemaker';
import { Token } from 'aws-cdk-lib/core';
import type { Prices } from '../cost/prices.js';
import { architectureName } from './architecture.js';
import type { GpuEndpointBase } from './gpu-endpoint-base.js';
import type { MonitoredRouter } from './inference-monitoring-options.js';
import type { MonitoredTraffic } from './monitored-traffic.js';

const PER = 1_000_000;
const MINUTES_PER_HOUR = 60;
const MEBIBYTES_PER_GIGABYTE = 1024;

export interface MonitoredCost {
  /** US dollars per million requests. */
  readonly perMillion: MathExpression;
  /** What the expression counts, what not, and with prices of when. */
  readonly note: string;
}

interface Term {
  readonly expression: string;
  readonly metrics: Readonly<Record<string, IMetric>>;
}

export function monitoredCost(traffic: MonitoredTraffic, prices: Prices): MonitoredCost {
  const { model, period } = traffic;
  const { router } = model;
  const instances = [model.gpu, model.gpuQueue].flatMap((endpoint) =>
    endpoint === undefined ? [] : variantsOf(endpoint).map((variant) => ({ endpoint, ...variant })),
  );
  const perHour = ({ instanceType }: InstanceVariant) => prices.sageMaker.perInstanceHour[instanceType];
  const terms: Term[] = [
    ...lambdaTerms('predict', model.function, prices, (name) => traffic.lambda(name)),
    ...(router === undefined ? [] : lambdaTerms('router', router, prices, (name) => traffic.front(name))),
    ...instances.flatMap((variant, index) => {
      const price = perHour(variant);
      if (price === undefined) return [];
      const metric = variant.endpoint.metricInstanceMinutes({
        period,
        dimensionsMap: { VariantName: variant.variantName },
      });
      return {
        expression: `FILL(minutes${index}, 0) * ${decimal(price / MINUTES_PER_HOUR)}`,
        metrics: { [`minutes${index}`]: metric },
      };
    }),
  ];
  // The callers' requests: the router's, or the function's; its own term has them already.
  const requests = router === undefined ? 'predictRequests' : 'routerRequests';
  const sum = terms.map(({ expression }) => expression).join(' + ');
  return {
    perMillion: new MathExpression({
      expression: `IF(FILL(${requests}, 0) > 0, ${PER} * (${sum}) / ${requests})`,
      usingMetrics: Object.assign({}, ...terms.map(({ metrics }) => metrics)) as Record<string, IMetric>,
      period,
      label: 'US$ per million requests',
    }),
    note: noteOf(prices, {
      isProvisioned: [model.function, ...(router === undefined ? [] : [router])].some(
        ({ provisionedConcurrency }) => provisionedConcurrency !== undefined,
      ),
      withoutPrice: [
        ...new Set(instances.filter((each) => perHour(each) === undefined).map((each) => each.instanceType)),
      ],
    }),
  };
}

/**
 * Requests and their time, which on provisioned environments has a price of its own, and these environments. Each millisecond that has begun
 * is billed, which the sum of durations leaves out: half of one for each request.
 */
function lambdaTerms(
  id: string,
  { function: lambdaFunction, provisionedConcurrency }: Pick<MonitoredRouter, 'function' | 'provisionedConcurrency'>,
  { lambda }: Prices,
  metric: (name: string) => IMetric,
): readonly Term[] {
  const { memorySize = 128 } = lambdaFunction.node.defaultChild as CfnFunction;
  const architecture = architectureName(lambdaFunction.architecture);
  const gigabytes = memorySize / MEBIBYTES_PER_GIGABYTE;
  const perMillisecond = (gigabytes * lambda.perGigabyteSecond[architecture]) / 1000;
  const metrics = { [`${id}Requests`]: metric('Invocations'), [`${id}Time`]: metric('Duration') };
  const perRequest = { expression: `FILL(${id}Requests, 0) * ${decimal(lambda.perRequest)}`, metrics };
  if (provisionedConcurrency === undefined) {
    return [perRequest, { expression: `FILL(${id}Time, 0) * ${decimal(perMillisecond)}`, metrics }];
  }
  const running = (gigabytes * lambda.provisioned.runningPerGigabyteSecond[architecture]) / 1000;
  // Of a number that only the deployment knows nothing is counted.
  const kept = Token.isUnresolved(provisionedConcurrency.min) ? 0 : provisionedConcurrency.min;
  const ready = kept * gigabytes * lambda.provisioned.perGigabyteSecond[architecture];
  return [
    perRequest,
    {
      expression: `FILL(${id}Time, 0) * (${decimal(perMillisecond)} - ${decimal(perMillisecond - running)} * FILL(${id}Provisioned, 0) / FILL(${id}Requests, 1))`,
      metrics: { ...metrics, [`${id}Provisioned`]: metric('ProvisionedConcurrencyInvocations') },
    },
    { expression: `PERIOD(${id}Requests) * ${decimal(ready)}`, metrics },
  ];
}

interface InstanceVariant {
  readonly variantName: string;
  readonly instanceType: string;
}

function variantsOf({ endpointConfig }: GpuEndpointBase): readonly InstanceVariant[] {
  const { productionVariants, shadowProductionVariants } = endpointConfig;
  return [productionVariants, shadowProductionVariants ?? []].flatMap((variants) => {
    const known = Token.isUnresolved(variants)
      ? []
      : (variants as readonly CfnEndpointConfig.ProductionVariantProperty[]);
    return known.map(({ variantName, instanceType }) => ({ variantName, instanceType: instanceType ?? 'unknown' }));
  });
}

/** Metric math knows no exponents. */
function decimal(value: number): string {
  return value.toFixed(18).replace(/\.?0+$/, '') || '0';
}

function noteOf(
  { date, region }: Prices,
  { isProvisioned, withoutPrice }: { readonly isProvisioned: boolean; readonly withoutPrice: readonly string[] },
): string {
  const provisioned = isProvisioned ? ', provisioned concurrency as deployed, before it is scaled' : '';
  const missing = ['init phases', 'API Gateway', 'logs', 'metrics', 'transfer', ...withoutPrice];
  return `Cost with the prices of ${date} in ${region}${provisioned}. Not in it: ${missing.join(', ')}.`;
}
