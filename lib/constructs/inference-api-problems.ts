import { Token } from 'aws-cdk-lib/core';
import { customDomainProblems } from './custom-domain.js';
import { logGroupProblems } from './encrypted-log-group.js';
import type { InferenceApiOptions, InferenceThrottle } from './inference-api-options.js';
import { checkSeconds, checkWholeNumber, type Problem } from './problems.js';

/** What an HTTP API waits at most, in seconds. */
export const MAX_API_TIMEOUT_SECONDS = 29;
const TIMEOUT_SECONDS = {
  min: 0.05,
  max: MAX_API_TIMEOUT_SECONDS,
  reason: 'an HTTP API waits no longer for its function',
};

/** What is wrong with an API's properties. */
export function apiProblems(props: InferenceApiOptions): Problem[] {
  return [
    ...checkSeconds('API_TIMEOUT_INVALID', 'apiTimeout', props.apiTimeout, TIMEOUT_SECONDS),
    ...throttleProblems(props.throttle),
    ...(props.auth?.problems() ?? []),
    ...customDomainProblems(props.customDomain),
    ...endpointProblems(props),
    ...logGroupProblems({ name: 'accessLogGroup', given: props.accessLogGroup !== undefined }, [
      {
        code: 'ACCESS_LOG_RETENTION_WITHOUT_EFFECT',
        name: 'accessLogRetention',
        given: props.accessLogRetention !== undefined,
        what: 'retention',
      },
      {
        code: 'ACCESS_LOG_ENCRYPTION_WITHOUT_EFFECT',
        name: 'accessLogEncryption',
        given: props.accessLogEncryption !== undefined,
        what: 'key',
      },
    ]),
  ];
}

function throttleProblems(throttle: InferenceThrottle | undefined): Problem[] {
  if (throttle === undefined) return [];
  const { rateLimit, burstLimit } = throttle;
  const problems = checkWholeNumber('THROTTLE_INVALID', 'throttle.burstLimit', burstLimit, {
    min: 1,
    unit: 'requests',
  });
  if (Token.isUnresolved(rateLimit) || (Number.isFinite(rateLimit) && rateLimit > 0)) return problems;
  problems.push({
    code: 'THROTTLE_INVALID',
    message: `throttle.rateLimit is ${rateLimit}.`,
    advice: 'Give a number of requests per second above 0.',
  });
  return problems;
}

function endpointProblems({ customDomain, disableExecuteApiEndpoint }: InferenceApiOptions): Problem[] {
  if (customDomain !== undefined || disableExecuteApiEndpoint !== true) return [];
  return [
    {
      code: 'API_WITHOUT_URL',
      message: 'disableExecuteApiEndpoint is given without customDomain, so the API has no URL.',
      advice: 'Give a customDomain, or leave disableExecuteApiEndpoint out.',
    },
  ];
}

/** Models of one endpoint need different names, because their routes are made of them. */
export function modelNameProblems(names: readonly string[]): Problem[] {
  if (names.length === 0) {
    return [
      {
        code: 'NO_MODEL',
        message: 'There is no model to serve.',
        advice: "Give at least one, for example Model.fromDirectory('models/faces').",
      },
    ];
  }
  const repeated = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
  return repeated.map((name) => ({
    code: 'MODEL_NAME_TWICE',
    message: `Two models of one endpoint are named ${name}.`,
    advice: 'Give each model.json its own "name".',
  }));
}
