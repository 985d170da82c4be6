import { AuthorizationType, type Authorizer } from 'aws-cdk-lib/aws-apigateway';
import { HttpNoneAuthorizer, type IHttpRouteAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import type { IUserPool } from 'aws-cdk-lib/aws-cognito';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { CognitoAuth, type CognitoAuthOptions } from './cognito-auth.js';
import { JwtAuth, type JwtAuthOptions } from './jwt-auth.js';
import { LambdaAuth, type LambdaAuthOptions } from './lambda-auth.js';
import type { Problem } from './problems.js';

/** What an HTTP API asks of a caller. */
export interface HttpAuthConfig {
  /** Of every route. */
  readonly authorizer: IHttpRouteAuthorizer;
  /** Of which a token must have one. */
  readonly scopes?: readonly string[];
}

/** What a REST API asks of a caller. */
export interface RestAuthConfig {
  /** Of every method. */
  readonly authorizationType: AuthorizationType;
  /** For the types that have one. */
  readonly authorizer?: Authorizer;
  /** Of which a token must have one. */
  readonly scopes?: readonly string[];
  /** What of the authorizer is part of a deployment: when it changes, the API is deployed anew. */
  readonly fingerprint?: object;
}

/** Who may call an endpoint. */
export abstract class InferenceAuth {
  /** Callers sign their requests (AWS Signature Version 4) and need `execute-api:Invoke`; see `grantInvoke`. */
  static iam(): InferenceAuth {
    return new IamAuth();
  }

  /**
   * Callers send a JSON Web Token, which API Gateway checks: for example of a Cognito user pool. HTTP APIs only; a REST API has `cognito()`
   * and `lambda()`.
   */
  static jwt(options: JwtAuthOptions): InferenceAuth {
    return new JwtAuth(options);
  }

  /** Callers send a token of a Cognito user pool in the header Authorization. REST APIs only; for an HTTP API the pool is an issuer of `jwt()`. */
  static cognito(userPools: readonly IUserPool[], options: CognitoAuthOptions = {}): InferenceAuth {
    return new CognitoAuth(userPools, options);
  }

  /** A function of yours decides; API Gateway may invoke it for this API's authorizer only. */
  static lambda(handler: IFunction, options: LambdaAuthOptions = {}): InferenceAuth {
    return new LambdaAuth(handler, options);
  }

  /** Anybody on the internet, at your cost. */
  static none(): InferenceAuth {
    return new NoAuth();
  }

  /** Called by an `InferenceApi` of type 'http', once. */
  abstract bindHttp(): HttpAuthConfig;

  /** Called by an `InferenceApi` of type 'rest', once. */
  abstract bindRest(scope: Construct): RestAuthConfig;

  /** What is wrong with it. Called by `InferenceApi`. */
  problems(_apiType: 'http' | 'rest'): Problem[] {
    return [];
  }
}

class IamAuth extends InferenceAuth {
  bindHttp(): HttpAuthConfig {
    return { authorizer: new HttpIamAuthorizer() };
  }

  bindRest(): RestAuthConfig {
    return { authorizationType: AuthorizationType.IAM };
  }
}

class NoAuth extends InferenceAuth {
  bindHttp(): HttpAuthConfig {
    return { authorizer: new HttpNoneAuthorizer() };
  }

  bindRest(): RestAuthConfig {
    return { authorizationType: AuthorizationType.NONE };
  }
}
