import type { EndpointType } from 'aws-cdk-lib/aws-apigateway';
import type { PolicyDocument } from 'aws-cdk-lib/aws-iam';
import type { Duration } from 'aws-cdk-lib/core';
import type { UsagePlanOptions } from './usage-plans.js';
import type { WebAcl } from './web-acl.js';

/** What only a REST API has; an HTTP API refuses each of them. */
export interface RestOnlyOptions {
  /**
   * The first part of the path below API Gateway's own domain name.
   * @default 'prod'
   */
  readonly stageName?: string;
  /**
   * Where requests enter: the API's region, or the edge location of CloudFront nearest to the caller.
   * @default EndpointType.REGIONAL
   */
  readonly endpointType?: EndpointType;
  /**
   * Plans with quotas and throttles per caller. With at least one, every request needs an API key of a plan in `x-api-key`. A key says who is
   * counted; it is no authorization: leave `auth` on.
   * @default - none: no API keys
   */
  readonly usagePlans?: readonly UsagePlanOptions[];
  /**
   * The web ACL of AWS WAF in front of the API. Of AWS's managed rules, AWSManagedRulesCommonRuleSet refuses bodies above 8 KB, and with
   * them most pictures and tensors.
   * @default - none
   */
  readonly webAcl?: WebAcl;
  /**
   * Whether API Gateway checks requests before it invokes a function: JSON bodies against the schemas of Open Inference Protocol V2 and of
   * TensorFlow Serving, and that a picture comes with its Content-Type. What it refuses costs no invocation, and its errors are API
   * Gateway's: `{ "message": "Invalid request body" }`. Bodies of other types pass; the function checks every request in any case.
   * @default false
   */
  readonly requestValidation?: boolean;
  /**
   * Whether answers are streamed: up to 200 MB (what is beyond 10 MB at 2 MB a second) instead of 6, and up to 15 minutes with `apiTimeout` and
   * the functions' `timeout`. API Gateway counts each 10 MB as a request. The functions then serve this API alone, and nobody who invokes them
   * directly.
   * @default false
   */
  readonly streaming?: boolean;
  /**
   * The account's quota "Maximum integration timeout in milliseconds", where AWS raised it. `apiTimeout` may be as long.
   * @default - 29 seconds
   */
  readonly apiTimeoutQuota?: Duration;
  /**
   * Who may reach the API at all: addresses, accounts, VPC endpoints. Evaluated together with `auth`.
   * @default - none: everybody who passes `auth`
   */
  readonly resourcePolicy?: PolicyDocument;
  /**
   * Whether this stack gives API Gateway its role for CloudWatch Logs. The role is one setting for the whole account and region, which every stack
   * that sets it overwrites, so it is off unless asked for; but without one, access logs keep a REST API from being deployed.
   * @default false - the account has one
   */
  readonly cloudWatchRole?: boolean;
}

export const REST_ONLY_OPTIONS: Readonly<Record<keyof RestOnlyOptions, true>> = {
  stageName: true,
  endpointType: true,
  usagePlans: true,
  webAcl: true,
  requestValidation: true,
  streaming: true,
  apiTimeoutQuota: true,
  resourcePolicy: true,
  cloudWatchRole: true,
};
