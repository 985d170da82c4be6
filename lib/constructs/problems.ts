import { type Duration, Token } from 'aws-cdk-lib/core';
import type { ErrorDetails } from '../errors.js';
import { SynthesisError } from '../errors.js';
import type { InferenceThrottle } from './inference-api-options.js';

/** One thing that is wrong with a construct's properties. */
export type Problem = ErrorDetails;

/**
 * Throws all problems as one error, so that a person fixes them in one go.
 *
 * @throws SynthesisError with the problem's own code if there is one, else `SEVERAL_PROBLEMS`.
 */
export function throwProblems(constructPath: string, problems: readonly Problem[]): void {
  const [first, ...others] = problems;
  if (first === undefined) return;
  if (others.length === 0) throw new SynthesisError({ ...first, message: `${constructPath}: ${first.message}` });
  throw new SynthesisError({
    code: 'SEVERAL_PROBLEMS',
    message: [
      `${constructPath}: ${problems.length} problems`,
      ...problems.map((problem) => `  ${problem.code}: ${problem.message} ${problem.advice}`),
    ].join('\n'),
    advice: 'Fix each of the problems listed.',
  });
}

/** A property that must be a whole number between its bounds; undefined and tokens pass. */
export function checkWholeNumber(
  code: string,
  name: string,
  value: number | undefined,
  bounds: { readonly min: number; readonly max?: number; readonly unit: string },
): Problem[] {
  if (value === undefined || Token.isUnresolved(value)) return [];
  const { min, max, unit } = bounds;
  if (Number.isInteger(value) && value >= min && (max === undefined || value <= max)) return [];
  return [
    {
      code,
      message: `${name} is ${value}.`,
      advice: `Give a whole number of ${unit}, ${max === undefined ? `${min} or more` : `from ${min} to ${max}`}.`,
    },
  ];
}

/** A duration between two bounds in seconds; undefined and tokens pass. */
export function checkSeconds(
  code: string,
  name: string,
  value: Duration | undefined,
  bounds: { readonly min: number; readonly max: number; readonly reason: string },
): Problem[] {
  if (value === undefined || value.isUnresolved()) return [];
  const seconds = value.toMilliseconds() / 1000;
  if (seconds >= bounds.min && seconds <= bounds.max) return [];
  return [
    {
      code,
      message: `${name} is ${seconds} s.`,
      advice: `Give ${bounds.min} to ${bounds.max} s: ${bounds.reason}.`,
    },
  ];
}

/** Two limits on requests; undefined and tokens pass. */
export function checkThrottle(name: string, throttle: InferenceThrottle | undefined): Problem[] {
  if (throttle === undefined) return [];
  const { rateLimit, burstLimit } = throttle;
  const problems = checkWholeNumber('THROTTLE_INVALID', `${name}.burstLimit`, burstLimit, {
    min: 1,
    unit: 'requests',
  });
  if (Token.isUnresolved(rateLimit) || (Number.isFinite(rateLimit) && rateLimit > 0)) return problems;
  problems.push({
    code: 'THROTTLE_INVALID',
    message: `${name}.rateLimit is ${rateLimit}.`,
    advice: 'Give a number of requests per second above 0.',
  });
  return problems;
}
