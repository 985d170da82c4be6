import type { CorsPreflightOptions } from 'aws-cdk-lib/aws-apigatewayv2';
import { Token } from 'aws-cdk-lib/core';
import { customDomainProblems } from './custom-domain.js';
import { logGroupProblems } from './encrypted-log-group.js';
import type { InferenceApiOptions } from './inference-api-options.js';
import type { InferenceTarget } from './inference-target.js';
import { checkSeconds, checkThrottle, type Problem } from './problems.js';
import { REST_ONLY_OPTIONS } from './rest-api-options.js';
import { restApiProblems } from './rest-api-problems.js';

/** What an API waits at most, in seconds, unless a REST API was allowed more. */
export const MAX_API_TIMEOUT_SECONDS = 29;
const TIMEOUT_SECONDS = {
  min: 0.05,
  max: MAX_API_TIMEOUT_SECONDS,
  reason: 'an HTTP API waits no longer for its function',
};

/** What is wrong with an API's properties. */
export function apiProblems(props: InferenceApiOptions): Problem[] {
  const { apiType = 'http' } = props;
  return [
    ...(props.apiType === 'rest'
      ? restApiProblems(props)
      : [
          ...restOnlyProblems(props),
          ...checkSeconds('API_TIMEOUT_INVALID', 'apiTimeout', props.apiTimeout, TIMEOUT_SECONDS),
        ]),
    ...checkThrottle('throttle', props.throttle),
    ...(props.auth?.problems(apiType) ?? []),
    ...customDomainProblems(props.customDomain),
    ...endpointProblems(props),
    ...corsProblems(props.cors),
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

/** The types say as much; JavaScript and conditions get past them. */
function restOnlyProblems(props: InferenceApiOptions): Problem[] {
  const given = Object.entries(props)
    .filter(([name, value]) => name in REST_ONLY_OPTIONS && value !== undefined && value !== false)
    .map(([name]) => name);
  return given.map((name) => ({
    code: 'REST_API_ONLY',
    message: `${name} is given, which an HTTP API does not have.`,
    advice:
      "Leave it out, or set apiType to 'rest', which costs 3.5 times as much per request. On an endpoint that is deployed already that replaces the URL, unless it has a customDomain.",
  }));
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

/** https://fetch.spec.whatwg.org/#cors-protocol-and-credentials */
function corsProblems(cors: CorsPreflightOptions | undefined): Problem[] {
  if (cors === undefined) return [];
  const { allowOrigins = [], allowCredentials } = cors;
  if (Token.isUnresolved(allowOrigins)) return [];
  const problems: Problem[] = [];
  if (allowOrigins.length === 0) {
    problems.push({
      code: 'CORS_ORIGIN_MISSING',
      message: 'cors allows no origin, so no web page may call.',
      advice: "Name the pages' origins in allowOrigins, such as https://example.com, or leave cors out.",
    });
  }
  if (!allowOrigins.includes('*')) return problems;
  if (allowCredentials === true) {
    problems.push({
      code: 'CORS_CREDENTIALS_WITH_ANY_ORIGIN',
      message: "cors allows credentials and the origin '*', which browsers refuse.",
      advice: 'Name the origins that may send credentials, or leave allowCredentials out.',
    });
  }
  if (allowOrigins.length > 1) {
    problems.push({
      code: 'CORS_ORIGIN_AMBIGUOUS',
      message: `cors allows the origin '*' beside ${allowOrigins.length - 1} others.`,
      advice: "Name the origins, or give '*' alone.",
    });
  }
  return problems;
}

/** What is wrong with a function or router behind an API with these options. */
export function targetProblems({ minApiTimeoutMs }: InferenceTarget, { apiTimeout }: InferenceApiOptions): Problem[] {
  if (minApiTimeoutMs === undefined || apiTimeout === undefined || apiTimeout.isUnresolved()) return [];
  const milliseconds = apiTimeout.toMilliseconds();
  if (milliseconds >= minApiTimeoutMs) return [];
  return [
    {
      code: 'API_TIMEOUT_BELOW_ROUTER',
      message: `apiTimeout is ${milliseconds} ms, and the router may take ${minApiTimeoutMs} ms with its start, so that callers would lose its answers.`,
      advice: 'Give the router a policy whose timeout is a second below apiTimeout, or more.',
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
