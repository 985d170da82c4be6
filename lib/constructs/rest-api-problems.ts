import { EndpointType } from 'aws-cdk-lib/aws-apigateway';
import { Token } from 'aws-cdk-lib/core';
import type { RestApiOptions } from './inference-api-options.js';
import { checkSeconds, type Problem } from './problems.js';
import { usagePlanProblems } from './usage-plans.js';
import { webAclProblems } from './web-acl.js';

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html */
const TIMEOUT_SECONDS = { min: 0.05, max: 29 };
/** https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html */
const STREAM_SECONDS = { min: 0.05, max: 900, reason: 'a REST API streams for 15 minutes at most' };
const QUOTA_SECONDS = { min: 29, max: 900, reason: 'Lambda runs a function for 15 minutes at most' };
const STAGE_NAME = /^[A-Za-z0-9_-]{1,128}$/;

/** What is wrong with what a REST API has of its own. */
export function restApiProblems(props: RestApiOptions): Problem[] {
  return [
    ...timeoutProblems(props),
    ...stageNameProblems(props.stageName),
    ...usagePlanProblems(props.usagePlans),
    ...webAclProblems(props.webAcl),
    ...endpointTypeProblems(props),
  ];
}

function timeoutProblems({ apiTimeout, apiTimeoutQuota, streaming }: RestApiOptions): Problem[] {
  const quota = checkSeconds('API_TIMEOUT_QUOTA_INVALID', 'apiTimeoutQuota', apiTimeoutQuota, QUOTA_SECONDS);
  if (streaming === true)
    return [...quota, ...checkSeconds('API_TIMEOUT_INVALID', 'apiTimeout', apiTimeout, STREAM_SECONDS)];
  if (apiTimeoutQuota?.isUnresolved() === true) return quota;
  const bounds =
    apiTimeoutQuota === undefined
      ? { ...TIMEOUT_SECONDS, reason: 'more needs a raised quota (apiTimeoutQuota) or streaming' }
      : { ...TIMEOUT_SECONDS, max: apiTimeoutQuota.toMilliseconds() / 1000, reason: 'that is apiTimeoutQuota' };
  return [...quota, ...checkSeconds('API_TIMEOUT_INVALID', 'apiTimeout', apiTimeout, bounds)];
}

function stageNameProblems(stageName: string | undefined): Problem[] {
  if (stageName === undefined) return [];
  // A token is no exception here: the CDK makes the stage's construct id of it.
  if (STAGE_NAME.test(stageName) && !Token.isUnresolved(stageName)) return [];
  return [
    {
      code: 'STAGE_NAME_INVALID',
      message: `stageName is '${stageName}'.`,
      advice: 'Use letters, digits, _ and -, 128 at most, and no value that only a deployment knows.',
    },
  ];
}

function endpointTypeProblems(props: RestApiOptions): Problem[] {
  const { endpointType = EndpointType.REGIONAL, customDomain, resourcePolicy, apiTimeoutQuota } = props;
  const problems: Problem[] = [];
  if (endpointType === EndpointType.PRIVATE && resourcePolicy === undefined) {
    problems.push({
      code: 'PRIVATE_API_WITHOUT_POLICY',
      message: 'endpointType is PRIVATE without a resourcePolicy, so nobody can call the API.',
      advice: 'Give a resourcePolicy that allows your VPC endpoints (aws:SourceVpce).',
    });
  }
  if (endpointType !== EndpointType.REGIONAL && customDomain !== undefined) {
    problems.push({
      code: 'CUSTOM_DOMAIN_ENDPOINT_TYPE',
      message: `customDomain is regional, endpointType is ${endpointType}.`,
      advice: 'Leave endpointType out, or map a domain name of that type to the API yourself.',
    });
  }
  if (endpointType === EndpointType.EDGE && apiTimeoutQuota !== undefined) {
    problems.push({
      code: 'API_TIMEOUT_QUOTA_ENDPOINT_TYPE',
      message: 'apiTimeoutQuota is given, and endpointType is EDGE, for which AWS raises no timeout.',
      advice: 'Leave one of them out.',
    });
  }
  return problems;
}
