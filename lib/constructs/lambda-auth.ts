import { AuthorizationType, IdentitySource, RequestAuthorizer } from 'aws-cdk-lib/aws-apigateway';
import { HttpLambdaAuthorizer, HttpLambdaResponseType } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Duration, Token } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { HttpAuthConfig, InferenceAuth, RestAuthConfig } from './inference-auth.js';
import { checkSeconds, type Problem } from './problems.js';

/** Options of `InferenceAuth.lambda`. */
export interface LambdaAuthOptions {
  /**
   * What identifies a caller, such as `$request.header.Authorization`. A request without one of them is refused without asking the function, and
   * answers are cached by them.
   * @default - the header Authorization, and the route, so that an answer for one route is not used for another
   */
  readonly identitySource?: readonly string[];
  /**
   * How long an answer is cached, an hour at most; 0 for not at all.
   * @default - 5 minutes
   */
  readonly resultsCacheTtl?: Duration;
  /**
   * What the function answers: `{ isAuthorized: boolean }`, or a policy of IAM, which is the only answer that a REST API understands.
   * @default - 'simple' for an HTTP API, 'iam-policy' for a REST API
   */
  readonly response?: 'simple' | 'iam-policy';
}

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html */
export const AUTH_CACHE_SECONDS = { min: 0, max: 3600, reason: 'API Gateway caches an answer for an hour at most' };

const CACHE_WITHOUT_IDENTITY = {
  code: 'AUTH_IDENTITY_SOURCE_MISSING',
  message: 'identitySource is empty, but answers are cached by it.',
  advice: 'Give at least one identity source, or a resultsCacheTtl of 0 seconds.',
};
const SIMPLE_ON_REST = {
  code: 'AUTH_RESPONSE_NEEDS_HTTP_API',
  message: "InferenceAuth.lambda() is given with response: 'simple', which a REST API does not understand.",
  advice: "Have the function answer with a policy of IAM and set response to 'iam-policy', or use an HTTP API.",
};

export class LambdaAuth implements InferenceAuth {
  constructor(
    private readonly handler: IFunction,
    private readonly options: LambdaAuthOptions,
  ) {}

  bindHttp(): HttpAuthConfig {
    const { identitySource, ttl } = this.cached();
    const { IAM, SIMPLE } = HttpLambdaResponseType;
    const authorizer = new HttpLambdaAuthorizer('LambdaAuthorizer', this.handler, {
      identitySource: [...identitySource],
      resultsCacheTtl: ttl,
      responseTypes: [this.options.response === 'iam-policy' ? IAM : SIMPLE],
    });
    return { authorizer };
  }

  bindRest(scope: Construct): RestAuthConfig {
    const { identitySource, ttl } = this.cached();
    const identitySources = identitySource.flatMap(restIdentitySources);
    const authorizer = new RequestAuthorizer(scope, 'LambdaAuthorizer', {
      handler: this.handler,
      identitySources,
      resultsCacheTtl: ttl,
    });
    const fingerprint = { handler: this.handler.functionArn, identitySources, ttl: ttl.toSeconds() };
    return { authorizationType: AuthorizationType.CUSTOM, authorizer, fingerprint };
  }

  problems(apiType: 'http' | 'rest'): Problem[] {
    const { identitySource = [], resultsCacheTtl, response } = this.options;
    const cached = resultsCacheTtl === undefined || resultsCacheTtl.isUnresolved() || resultsCacheTtl.toSeconds() > 0;
    return [
      ...checkSeconds('AUTH_CACHE_INVALID', 'resultsCacheTtl', resultsCacheTtl, AUTH_CACHE_SECONDS),
      ...(this.options.identitySource?.length === 0 && cached ? [CACHE_WITHOUT_IDENTITY] : []),
      ...(apiType === 'rest' && response === 'simple' ? [SIMPLE_ON_REST] : []),
      ...identitySource.filter((source) => !isIdentitySource(source)).map(identitySourceProblem),
    ];
  }

  private cached(): { readonly identitySource: readonly string[]; readonly ttl: Duration } {
    const { identitySource = DEFAULT_IDENTITY_SOURCE, resultsCacheTtl = Duration.minutes(5) } = this.options;
    return { identitySource, ttl: resultsCacheTtl };
  }
}

const DEFAULT_IDENTITY_SOURCE: readonly string[] = ['$request.header.Authorization', '$context.routeKey'];
const IDENTITY_SOURCE = /^\$(request\.header|request\.querystring|context|stageVariables)\.(.+)$/;

function isIdentitySource(source: string): boolean {
  return Token.isUnresolved(source) || IDENTITY_SOURCE.test(source);
}

function identitySourceProblem(source: string): Problem {
  return {
    code: 'AUTH_IDENTITY_SOURCE_INVALID',
    message: `identitySource holds '${source}'.`,
    advice:
      'Write $request.header.<name>, $request.querystring.<name>, $context.<variable> or $stageVariables.<name>; cdk-onnx translates it for REST APIs.',
  };
}

/** The same in the words of REST APIs, which have no key of a route: the resource and the method stand for it. */
function restIdentitySources(source: string): string[] {
  if (source === '$context.routeKey')
    return [IdentitySource.context('resourcePath'), IdentitySource.context('httpMethod')];
  const [, kind = '', name = ''] = IDENTITY_SOURCE.exec(source) ?? [];
  switch (kind) {
    case 'request.header':
      return [IdentitySource.header(name)];
    case 'request.querystring':
      return [IdentitySource.queryString(name)];
    case 'stageVariables':
      return [IdentitySource.stageVariable(name)];
    case 'context':
      return [IdentitySource.context(name)];
    default:
      // A token: already as the API wants it.
      return [source];
  }
}
