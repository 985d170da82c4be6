import { HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { Token } from 'aws-cdk-lib/core';
import { SynthesisError } from '../errors.js';
import type { HttpAuthConfig, InferenceAuth, RestAuthConfig } from './inference-auth.js';
import type { Problem } from './problems.js';

/** Options of `InferenceAuth.jwt`. */
export interface JwtAuthOptions {
  /** Who issues the tokens: a URL whose `/.well-known/openid-configuration` API Gateway reads. */
  readonly issuer: string;
  /** A token's `aud`, or without one its `client_id`, must be one of these. */
  readonly audience: readonly string[];
  /**
   * A token's `scope` must have one of these, 10 at most.
   * @default - any token of the issuer for the audience will do
   */
  readonly scopes?: readonly string[];
  /**
   * Where the token is.
   * @default '$request.header.Authorization'
   */
  readonly identitySource?: string;
}

const MAX_SCOPES = 10;
const JWT_ON_REST = {
  code: 'AUTH_NEEDS_HTTP_API',
  message: 'InferenceAuth.jwt() is given, and a REST API checks no tokens of any issuer.',
  advice:
    'Use InferenceAuth.cognito() for tokens of a Cognito user pool, InferenceAuth.lambda() for others, or an HTTP API.',
};

export class JwtAuth implements InferenceAuth {
  constructor(private readonly options: JwtAuthOptions) {}

  bindHttp(): HttpAuthConfig {
    const { issuer, audience, scopes, identitySource } = this.options;
    const authorizer = new HttpJwtAuthorizer('JwtAuthorizer', issuer, {
      jwtAudience: [...audience],
      ...(identitySource === undefined ? {} : { identitySource: [identitySource] }),
    });
    return { authorizer, ...(scopes === undefined ? {} : { scopes }) };
  }

  bindRest(): RestAuthConfig {
    throw new SynthesisError(JWT_ON_REST);
  }

  problems(apiType: 'http' | 'rest'): Problem[] {
    const { issuer, audience, scopes = [] } = this.options;
    const problems: Problem[] = apiType === 'rest' ? [JWT_ON_REST] : [];
    if (!Token.isUnresolved(issuer) && !issuer.startsWith('https://')) {
      problems.push({
        code: 'JWT_ISSUER_INVALID',
        message: `The issuer of tokens is '${issuer}'.`,
        advice: 'Give a URL that begins with https://, as it stands in the tokens.',
      });
    }
    if (audience.length === 0) {
      problems.push({
        code: 'JWT_AUDIENCE_MISSING',
        message: 'No audience is given, so every token would be refused.',
        advice: 'Give at least one: the id of the client that the tokens are issued for.',
      });
    }
    if (scopes.length > MAX_SCOPES) {
      problems.push({
        code: 'JWT_SCOPE_COUNT',
        message: `${scopes.length} scopes are given.`,
        advice: `Give ${MAX_SCOPES} at most.`,
      });
    }
    return problems;
  }
}
