import { AuthorizationType, CognitoUserPoolsAuthorizer } from 'aws-cdk-lib/aws-apigateway';
import type { IUserPool } from 'aws-cdk-lib/aws-cognito';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { SynthesisError } from '../errors.js';
import type { HttpAuthConfig, InferenceAuth, RestAuthConfig } from './inference-auth.js';
import { AUTH_CACHE_SECONDS } from './lambda-auth.js';
import { checkSeconds, type Problem } from './problems.js';

/** Options of `InferenceAuth.cognito`. */
export interface CognitoAuthOptions {
  /**
   * Access tokens must have one of these scopes. Without any, callers send ID tokens.
   * @default - none
   */
  readonly scopes?: readonly string[];
  /**
   * How long a token that was good stays good without a look at it, an hour at most; 0 for not at all.
   * @default - 5 minutes
   */
  readonly resultsCacheTtl?: Duration;
}

const COGNITO_ON_HTTP = {
  code: 'AUTH_NEEDS_REST_API',
  message: 'InferenceAuth.cognito() is given, which an HTTP API does not have.',
  advice:
    'Use InferenceAuth.jwt() with the issuer https://cognito-idp.<region>.amazonaws.com/<user pool id> and the ids of its clients as audience, or a REST API.',
};

export class CognitoAuth implements InferenceAuth {
  constructor(
    private readonly userPools: readonly IUserPool[],
    private readonly options: CognitoAuthOptions,
  ) {}

  bindHttp(): HttpAuthConfig {
    throw new SynthesisError(COGNITO_ON_HTTP);
  }

  bindRest(scope: Construct): RestAuthConfig {
    const { scopes, resultsCacheTtl = Duration.minutes(5) } = this.options;
    const authorizer = new CognitoUserPoolsAuthorizer(scope, 'CognitoAuthorizer', {
      cognitoUserPools: [...this.userPools],
      resultsCacheTtl,
    });
    return {
      authorizationType: AuthorizationType.COGNITO,
      authorizer,
      ...(scopes === undefined ? {} : { scopes }),
      fingerprint: {
        userPools: this.userPools.map(({ userPoolArn }) => userPoolArn),
        ttl: resultsCacheTtl.toSeconds(),
      },
    };
  }

  problems(apiType: 'http' | 'rest'): Problem[] {
    const problems = checkSeconds(
      'AUTH_CACHE_INVALID',
      'resultsCacheTtl',
      this.options.resultsCacheTtl,
      AUTH_CACHE_SECONDS,
    );
    if (apiType === 'http') problems.unshift(COGNITO_ON_HTTP);
    if (this.userPools.length > 0) return problems;
    problems.push({
      code: 'USER_POOL_MISSING',
      message: 'InferenceAuth.cognito() is given no user pool.',
      advice: 'Give at least one.',
    });
    return problems;
  }
}
