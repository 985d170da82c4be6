/** What the figures rest on, in sentences. */
import { instancesFor } from '../../cost/monthly-cost.js';
import { HOURS_PER_MONTH } from '../../cost/prices.js';
import type { FunctionUse, Serving } from '../../cost/serving.js';
import type { ComparisonOptions } from './comparison.js';
import { rounded } from './figures.js';
import type { Subject } from './subject.js';

export function assumptionsOf(
  subject: Subject,
  { rates, gpu }: ComparisonOptions,
  servings: readonly Serving[],
): string[] {
  const ready = servings.flatMap((serving) =>
    serving.kind === 'lambda' && serving.predict.provisioned !== undefined ? [serving.predict.provisioned] : [],
  )[0];
  const router = servings.find((serving) => serving.router !== undefined)?.router;
  const instances = subject.gpu ?? subject.queue;
  const { milliseconds, basis } = subject.duration;
  return [
    `${HOURS_PER_MONTH} hours a month at a steady rate; no cold starts, no transfer, logs and metrics; no free tier, no discounts`,
    `a request takes ${rounded(milliseconds)} ms of the function: ${basis}`,
    ...(subject.api === 'http'
      ? ['requests and answers of up to 512 kB, which an HTTP API counts as one request']
      : []),
    ...(ready === undefined
      ? []
      : [
          ready.min === ready.max
            ? `kept ready: ${environments(ready.min)}; what finds them at work runs on demand`
            : `kept ready: as many environments that ${percent(ready.utilization)} of them are at work, ${ready.min} to ${ready.max}; what finds them at work runs on demand`,
        ]),
    ...(router === undefined ? [] : [routerText(router, subject.router === undefined)]),
    ...(instances === undefined
      ? []
      : [
          `an instance of ${instances.instanceType} answers ${rounded(gpu.requestsPerSecond)} requests a second, each in ${rounded(gpu.milliseconds)} ms`,
          ...(subject.gpu === undefined
            ? []
            : [`where the GPU stands by it answers ${percent(gpu.share)} of the requests`]),
          `with a queue requests come in ${percent(gpu.dutyCycle)} of the month, and instances run only then but for those that always do, without their starts; a caller asks ${gpu.polls} times for a job`,
        ]),
    ...servings.flatMap((serving) => shortOf(serving, rates)),
    ...subject.notes,
  ];
}

function routerText({ memorySize, milliseconds }: FunctionUse, isAssumed: boolean): string {
  return `${isAssumed ? 'a router' : 'the router'} has ${memorySize} MB, takes ${rounded(milliseconds)} ms itself, and is paid while it waits for what answers`;
}

/** Where a template allows fewer instances than a rate takes. */
function shortOf(serving: Serving, rates: readonly number[]): string[] {
  if (serving.kind === 'lambda') return [];
  const factor = serving.kind === 'gpu-asynchronous' ? 1 / serving.dutyCycle : 1;
  return rates.flatMap((rate) => {
    const { wanted, had } = instancesFor(serving.gpu, rate * factor);
    return had >= wanted
      ? []
      : [
          `${rounded(rate)} requests a second take ${wanted} instances ${serving.kind === 'gpu-asynchronous' ? 'with a queue' : 'of the GPU'}, and there are ${had} at most: the figure is for what those answer`,
        ];
  });
}

function environments(count: number): string {
  return `${count} ${count === 1 ? 'environment' : 'environments'}`;
}

function percent(share: number): string {
  return `${rounded(100 * share)} %`;
}
