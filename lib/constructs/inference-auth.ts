import { HttpNoneAuthorizer, type IHttpRouteAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2';
import {
  HttpIamAuthorizer,
  HttpJwtAuthorizer,
  HttpLambdaAuthorizer,
  HttpLambdaResponseType,
} from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Duration, Token } from 'aws-cdk-lib/core';
import { checkSeconds, type Problem } from './problems.js';

/** What API Gateway asks of a caller. */
export interface InferenceAuthConfig {
  /** Of every route. */
  readonly authorizer: IHttpRouteAuthorizer;
  /** Of which a token must have one. */
  readonly scopes?: readonly string[];
}

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

/** Options of `InferenceAuth.lambda`. */
export interface LambdaAuthOptions {
  /**
   * What identifies a caller. A request without one of them is refused without asking the function, and answers are cached by them.
   * @default - the header Authorization, and the route, so that an answer for one route is not used for another
   */
  readonly identitySource?: readonly string[];
  /**
   * How long an answer is cached, an hour at most; 0 for not at all.
   * @default - 5 minutes
   */
  readonly resultsCacheTtl?: Duration;
  /**
   * What the function answers: `{ isAuthorized: boolean }`, or a policy of IAM.
   * @default 'simple'
   */
  readonly response?: 'simple' | 'iam-policy';
}

/** Who may call an endpoint. */
export abstract class InferenceAuth {
  /** Callers sign their requests (AWS Signature Version 4) and need `execute-api:Invoke`; see `grantInvoke`. */
  static iam(): InferenceAuth {
    return new IamAuth();
  }

  /** Callers send a JSON Web Token, which API Gateway checks: for example of a Cognito user pool. */
  static jwt(options: JwtAuthOptions): InferenceAuth {
    return new JwtAuth(options);
  }

  /** A function of yours decides; API Gateway may invoke it for this API's authorizer only. */
  static lambda(handler: IFunction, options: LambdaAuthOptions = {}): InferenceAuth {
    return new LambdaAuth(handler, options);
  }

  /** Anybody on the internet, at your cost. */
  static none(): InferenceAuth {
    return new NoAuth();
  }

  /** Called by `InferenceApi`, once for each API. */
  abstract bind(): InferenceAuthConfig;

  /** What is wrong with it. Called by `InferenceApi`. */
  problems(): Problem[] {
    return [];
  }
}

class IamAuth extends InferenceAuth {
  bind(): InferenceAuthConfig {
    return { authorizer: new HttpIamAuthorizer() };
  }
}

class NoAuth extends InferenceAuth {
  bind(): InferenceAuthConfig {
    return { authorizer: new HttpNoneAuthorizer() };
  }
}

const MAX_SCOPES = 10;

class JwtAuth extends InferenceAuth {
  constructor(private readonly options: JwtAuthOptions) {
    super();
  }

  bind(): InferenceAuthConfig {
    const { issuer, audience, scopes, identitySource } = this.options;
    const authorizer = new HttpJwtAuthorizer('JwtAuthorizer', issuer, {
      jwtAudience: [...audience],
      ...(identitySource === undefined ? {} : { identitySource: [identitySource] }),
    });
    return { authorizer, ...(scopes === undefined ? {} : { scopes }) };
  }

  override problems(): Problem[] {
    const { issuer, audience, scopes = [] } = this.options;
    const problems: Problem[] = [];
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

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html */
const CACHE_SECONDS = { min: 0, max: 3600, reason: 'API Gateway caches an answer for an hour at most' };
const CACHE_WITHOUT_IDENTITY = {
  code: 'AUTH_IDENTITY_SOURCE_MISSING',
  message: 'identitySource is empty, but answers are cached by it.',
  advice: 'Give at least one identity source, or a resultsCacheTtl of 0 seconds.',
};

class LambdaAuth extends InferenceAuth {
  constructor(
    private readonly handler: IFunction,
    private readonly options: LambdaAuthOptions,
  ) {
    super();
  }

  bind(): InferenceAuthConfig {
    const { identitySource = ['$request.header.Authorization', '$context.routeKey'], resultsCacheTtl } = this.options;
    const { IAM, SIMPLE } = HttpLambdaResponseType;
    const authorizer = new HttpLambdaAuthorizer('LambdaAuthorizer', this.handler, {
      identitySource: [...identitySource],
      resultsCacheTtl: resultsCacheTtl ?? Duration.minutes(5),
      responseTypes: [this.options.response === 'iam-policy' ? IAM : SIMPLE],
    });
    return { authorizer };
  }

  override problems(): Problem[] {
    const { identitySource, resultsCacheTtl } = this.options;
    const cached = resultsCacheTtl === undefined || resultsCacheTtl.isUnresolved() || resultsCacheTtl.toSeconds() > 0;
    return [
      ...checkSeconds('AUTH_CACHE_INVALID', 'resultsCacheTtl', resultsCacheTtl, CACHE_SECONDS),
      ...(identitySource?.length === 0 && cached ? [CACHE_WITHOUT_IDENTITY] : []),
    ];
  }
}
