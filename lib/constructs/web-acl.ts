import { CfnWebACL, CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import { Names, Token } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { checkWholeNumber, type Problem } from './problems.js';

/** A web ACL that exists, or the limit of one to create. */
export type WebAcl = ExistingWebAcl | RateLimitingWebAcl;

/** A web ACL that exists. */
export interface ExistingWebAcl {
  /** Regional, in the API's region. */
  readonly arn: string;
}

/** A web ACL that blocks addresses which send too much, and lets everything else pass. */
export interface RateLimitingWebAcl {
  /** Requests from one address in five minutes, 10 to 2,000,000,000. */
  readonly requestsPerAddress: number;
}

const REQUESTS_PER_ADDRESS = { min: 10, max: 2_000_000_000, unit: 'requests in five minutes' };
const WINDOW_SECONDS = 300;
const ARN = /^arn:[^:]+:wafv2:[^:]+:\d+:regional\/webacl\/.+$/;

/** Puts a web ACL before a stage. */
export function attachWebAcl(scope: Construct, webAcl: WebAcl, stageArn: string): CfnWebACLAssociation {
  const webAclArn = 'arn' in webAcl ? webAcl.arn : createWebAcl(scope, webAcl).attrArn;
  return new CfnWebACLAssociation(scope, 'WebAclAssociation', { resourceArn: stageArn, webAclArn });
}

function createWebAcl(scope: Construct, { requestsPerAddress }: RateLimitingWebAcl): CfnWebACL {
  const visibilityConfig = (metricName: string) => ({
    cloudWatchMetricsEnabled: true,
    metricName,
    // Samples hold headers, and among them signatures and tokens.
    sampledRequestsEnabled: false,
  });
  return new CfnWebACL(scope, 'WebAcl', {
    scope: 'REGIONAL',
    description: 'cdk-onnx inference endpoint',
    defaultAction: { allow: {} },
    visibilityConfig: visibilityConfig(Names.uniqueResourceName(scope, { maxLength: 100 })),
    rules: [
      {
        name: 'RequestsPerAddress',
        priority: 0,
        action: { block: { customResponse: { responseCode: 429 } } },
        statement: {
          rateBasedStatement: {
            aggregateKeyType: 'IP',
            limit: requestsPerAddress,
            evaluationWindowSec: WINDOW_SECONDS,
          },
        },
        visibilityConfig: visibilityConfig('RequestsPerAddress'),
      },
    ],
  });
}

/** What is wrong with a web ACL. */
export function webAclProblems(webAcl: WebAcl | undefined): Problem[] {
  if (webAcl === undefined) return [];
  if (!('arn' in webAcl)) {
    const { requestsPerAddress } = webAcl;
    return checkWholeNumber(
      'WEB_ACL_RATE_INVALID',
      'webAcl.requestsPerAddress',
      requestsPerAddress,
      REQUESTS_PER_ADDRESS,
    );
  }
  if (Token.isUnresolved(webAcl.arn) || ARN.test(webAcl.arn)) return [];
  return [
    {
      code: 'WEB_ACL_ARN_INVALID',
      message: `webAcl.arn is '${webAcl.arn}'.`,
      advice:
        'Give the ARN of a regional web ACL of AWS WAF (v2): arn:aws:wafv2:<region>:<account>:regional/webacl/<name>/<id>. One of scope CLOUDFRONT does not fit.',
    },
  ];
}
