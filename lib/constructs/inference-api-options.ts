import type { CorsPreflightOptions } from 'aws-cdk-lib/aws-apigatewayv2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ILogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Duration } from 'aws-cdk-lib/core';
import type { CustomDomain } from './custom-domain.js';
import type { InferenceAuth } from './inference-auth.js';
import { REST_ONLY_OPTIONS, type RestOnlyOptions } from './rest-api-options.js';

/**
 * What an API can be given beside its functions. `apiType` decides: an HTTP API, which is cheaper, or a REST API, which has API keys, usage
 * plans, a web ACL, request validation and streamed answers. Changing it replaces the API and with it the URL; only a `customDomain` stays.
 */
export type InferenceApiOptions = HttpApiOptions | RestApiOptions;

/** Options of an HTTP API. */
export interface HttpApiOptions extends CommonApiOptions {
  /** @default 'http' */
  readonly apiType?: 'http';
}

/** Options of a REST API. */
export interface RestApiOptions extends CommonApiOptions, RestOnlyOptions {
  /** Tells the two apart. */
  readonly apiType: 'rest';
}

/** What either type of API can be given. */
export interface CommonApiOptions {
  /**
   * Who may call.
   * @default InferenceAuth.iam() - requests are signed
   */
  readonly auth?: InferenceAuth;
  /**
   * How long the API waits for a function, 0.05 to 29 seconds; a REST API with `apiTimeoutQuota` or `streaming` waits longer. Later answers
   * are lost: the caller gets a 503 of an HTTP API, a 504 of a REST API.
   * @default - 29 seconds
   */
  readonly apiTimeout?: Duration;
  /**
   * Which web pages may call from a browser. Behind a REST API the function adds the headers to its answers, and answers that are API Gateway's
   * own (a 403, a 429) carry them only where there is one origin. The same pages may upload requests of jobs; a bucket of yours for a GPU's queue
   * needs such a rule of its own.
   * @default - none: no CORS headers
   */
  readonly cors?: CorsPreflightOptions;
  /**
   * How many requests each route takes, all callers together; more get a 429. For limits per caller see `usagePlans` of a REST API.
   * @default - as many as the account: 10,000 a second and 5,000 at once, unless AWS raised it
   */
  readonly throttle?: InferenceThrottle;
  /**
   * A domain name of yours for the API.
   * @default - none: API Gateway's own
   */
  readonly customDomain?: CustomDomain;
  /**
   * Turns API Gateway's own domain name off, so that only `customDomain` answers.
   * @default false
   */
  readonly disableExecuteApiEndpoint?: boolean;
  /**
   * Where requests are logged.
   * @default - a log group of its own, which is deleted with the stack
   */
  readonly accessLogGroup?: ILogGroup;
  /**
   * How long the API's own log group keeps its lines.
   * @default RetentionDays.ONE_MONTH
   */
  readonly accessLogRetention?: RetentionDays;
  /**
   * The KMS key of the API's own log group. A key of this app is told that CloudWatch Logs may use it for log groups of this stack;
   * the policy of an imported key has to say so already.
   * @default - a key that AWS owns
   */
  readonly accessLogEncryption?: IKey;
}

/** Both limits, because API Gateway takes a missing one for 0. */
export interface InferenceThrottle {
  /** Requests per second, on average. */
  readonly rateLimit: number;
  /** Requests at once. */
  readonly burstLimit: number;
}

const OPTION_NAMES: Readonly<Record<'apiType' | keyof CommonApiOptions | keyof RestOnlyOptions, true>> = {
  apiType: true,
  auth: true,
  apiTimeout: true,
  cors: true,
  throttle: true,
  customDomain: true,
  disableExecuteApiEndpoint: true,
  accessLogGroup: true,
  accessLogRetention: true,
  accessLogEncryption: true,
  ...REST_ONLY_OPTIONS,
};

/** An API's options, and what else there is. */
export function splitApiOptions<Others extends object>(
  options: Others & InferenceApiOptions,
): { readonly apiOptions: InferenceApiOptions; readonly otherOptions: Omit<Others, keyof typeof OPTION_NAMES> } {
  const entries = Object.entries(options);
  // Narrower than what Object.fromEntries can know: the names are the types'.
  return {
    apiOptions: Object.fromEntries(entries.filter(([name]) => name in OPTION_NAMES)) as unknown as InferenceApiOptions,
    otherOptions: Object.fromEntries(entries.filter(([name]) => !(name in OPTION_NAMES))) as Omit<
      Others,
      keyof typeof OPTION_NAMES
    >,
  };
}
