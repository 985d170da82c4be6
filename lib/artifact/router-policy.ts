/** Where requests are computed and what happens when that fails: every number of it, in one place, for the router and for constructs. */
import { ConfigurationError } from '../errors.js';

/** The whole of it. Times are in milliseconds. */
export interface RouterPolicy {
  /**
   * How long a request may take, from the router's start to its answer: 100 to 28,000. API Gateway gives up after 29 s (REST) or 30 s
   * (HTTP), and its clock runs while an environment of the router starts.
   * @default 28000
   */
  readonly timeout: number;
  /**
   * How long Lambda is waited for before SageMaker is asked too; Lambda's answer still counts if it comes first.
   * @default - half of `timeout`
   */
  readonly cpuTimeout: number;
  /**
   * The largest batch for Lambda: the leading dimension of the first input. Larger ones go to SageMaker. Of requests in Open Inference Protocol V2: the
   * batch of others shows only when they are decoded, so that for them `maxCpuPayload` and `cpuTimeout` count.
   * @default - any
   */
  readonly maxCpuBatch: number | undefined;
  /**
   * The largest body for Lambda, in bytes as the caller sent them. Larger ones go to SageMaker.
   * @default - any
   */
  readonly maxCpuPayload: number | undefined;
  /**
   * How long Lambda is waited for before SageMaker is asked on suspicion. The first answer wins, the other is extra load.
   * @default - none: SageMaker is asked when Lambda has failed
   */
  readonly hedgeAfter: number | undefined;
  /**
   * When a target is left alone.
   * @default - after 5 failures, for 5 s, later for a minute at most
   */
  readonly circuitBreaker: CircuitBreakerPolicy;
  /**
   * How many requests may be executed twice, as a share of all: 0 to 0.1.
   * @default 0.1
   */
  readonly extraLoad: number;
  /**
   * For a request that only SageMaker could answer now.
   * @default 'fail'
   */
  readonly onGpuUnavailable: OnGpuUnavailable;
}

/** Of each target, in each environment of the router. */
export interface CircuitBreakerPolicy {
  /**
   * So many failures in a row open it.
   * @default 5
   */
  readonly failures: number;
  /**
   * How long it stays open before one request probes the target. Doubles with each probe that fails.
   * @default 5000
   */
  readonly openFor: number;
  /**
   * What the doubling ends at.
   * @default - 60,000, or `openFor` where that is more
   */
  readonly maxOpenFor: number;
}

/** `fail` answers 503 with Retry-After, `queue` makes a job of the request. Where there is a queue, what callers upload becomes a job with either. */
export type OnGpuUnavailable = 'queue' | 'fail';

export const MIN_TIMEOUT_MS = 100;
/** A second is left of API Gateway's 29 for an environment that starts. https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html */
export const MAX_TIMEOUT_MS = 28_000;
export const MAX_EXTRA_LOAD = 0.1;

export const DEFAULT_POLICY: RouterPolicy = {
  timeout: MAX_TIMEOUT_MS,
  cpuTimeout: MAX_TIMEOUT_MS / 2,
  maxCpuBatch: undefined,
  maxCpuPayload: undefined,
  hedgeAfter: undefined,
  circuitBreaker: { failures: 5, openFor: 5_000, maxOpenFor: 60_000 },
  extraLoad: MAX_EXTRA_LOAD,
  onGpuUnavailable: 'fail',
};

/** A policy that names only what differs from the default. Times are in milliseconds. */
export interface RouterPolicyOptions extends Partial<Omit<RouterPolicy, 'circuitBreaker'>> {
  /**
   * When a target is left alone.
   * @default - after 5 failures, for 5 s, later for a minute at most
   */
  readonly circuitBreaker?: Partial<CircuitBreakerPolicy>;
}

/**
 * The policy with its defaults, and what is wrong with what was given. Without `cpuTimeout` half of `timeout` counts.
 *
 * @param given an object of whatever origin
 */
export function completePolicy(given: Readonly<Record<string, unknown>>): {
  readonly policy: RouterPolicy;
  readonly problems: readonly string[];
} {
  const problems: string[] = [];
  const read = memberReader(given, '', problems);
  const breaker = memberReader(nested(given, 'circuitBreaker', problems), 'circuitBreaker.', problems);
  const defaults = DEFAULT_POLICY.circuitBreaker;
  const timeout = read.whole('timeout', MIN_TIMEOUT_MS, MAX_TIMEOUT_MS) ?? DEFAULT_POLICY.timeout;
  const openFor = breaker.whole('openFor', 1, MAX_DURATION_MS) ?? defaults.openFor;
  const policy: RouterPolicy = {
    timeout,
    cpuTimeout: read.whole('cpuTimeout', 1, timeout) ?? Math.ceil(timeout / 2),
    maxCpuBatch: read.whole('maxCpuBatch', 1),
    maxCpuPayload: read.whole('maxCpuPayload', 1),
    hedgeAfter: read.whole('hedgeAfter', 1, timeout),
    circuitBreaker: {
      failures: breaker.whole('failures', 1) ?? defaults.failures,
      openFor,
      maxOpenFor: breaker.whole('maxOpenFor', openFor, MAX_DURATION_MS) ?? Math.max(openFor, defaults.maxOpenFor),
    },
    extraLoad: read.number('extraLoad', 0, MAX_EXTRA_LOAD) ?? DEFAULT_POLICY.extraLoad,
    onGpuUnavailable: read.onGpuUnavailable() ?? DEFAULT_POLICY.onGpuUnavailable,
  };
  read.refuseOthers(Object.keys(policy));
  breaker.refuseOthers(Object.keys(policy.circuitBreaker));
  return { policy, problems };
}

/**
 * A policy from JSON that names only what differs from the default.
 *
 * @throws ConfigurationError `POLICY_INVALID` with every problem
 */
export function parsePolicy(text: string | undefined): RouterPolicy {
  if (text === undefined || text.trim() === '') return DEFAULT_POLICY;
  const { policy, problems } = completePolicy(parseObject(text));
  if (problems.length > 0) throw policyInvalid(problems.join(' '));
  return policy;
}

/** Timers of Node.js count no further than 2^31 ms; nothing here is near that. */
const MAX_DURATION_MS = 3_600_000;

function memberReader(given: Readonly<Record<string, unknown>>, prefix: string, problems: string[]) {
  const number = (name: string, min: number, max = Number.MAX_SAFE_INTEGER, isWhole = false): number | undefined => {
    const value = given[name];
    if (value === undefined) return undefined;
    const fits = typeof value === 'number' && value >= min && value <= max && (!isWhole || Number.isInteger(value));
    if (fits) return value;
    const upper = max === Number.MAX_SAFE_INTEGER ? 'or more' : `to ${max}`;
    problems.push(
      `${prefix}${name} is ${shown(value)} and should be a ${isWhole ? 'whole ' : ''}number, ${min} ${upper}.`,
    );
    return undefined;
  };
  return {
    number,
    whole: (name: string, min: number, max?: number) => number(name, min, max, true),
    onGpuUnavailable: (): OnGpuUnavailable | undefined => {
      const value = given.onGpuUnavailable;
      if (value === undefined || value === 'fail' || value === 'queue') return value;
      problems.push(`onGpuUnavailable is ${shown(value)} and should be 'queue' or 'fail'.`);
      return undefined;
    },
    refuseOthers: (known: readonly string[]) => {
      const others = Object.keys(given).filter((name) => !known.includes(name));
      problems.push(...others.map((name) => `${prefix}${name} is nothing that a policy has.`));
    },
  };
}

function nested(
  given: Readonly<Record<string, unknown>>,
  name: string,
  problems: string[],
): Readonly<Record<string, unknown>> {
  const value = given[name];
  if (value === undefined) return {};
  if (isObject(value)) return value;
  problems.push(`${name} is ${shown(value)} and should be an object.`);
  return {};
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw policyInvalid('It is no JSON.', cause);
  }
  if (isObject(value)) return value;
  throw policyInvalid(`It is ${shown(value)} and should be an object.`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 80);
}

function policyInvalid(problems: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError({
    code: 'POLICY_INVALID',
    message: `The router's policy cannot be used. ${problems}`,
    advice: 'Correct the JSON in CDK_ONNX_ROUTER_POLICY; what it leaves out has a default.',
    cause,
  });
}
