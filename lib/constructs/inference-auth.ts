import { HttpNoneAuthorizer, type IHttpRouteAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';

/** Who may call an endpoint. */
export abstract class InferenceAuth {
  /** Callers sign their requests (AWS Signature Version 4) and need `execute-api:Invoke`; see `grantInvoke`. */
  static iam(): InferenceAuth {
    return new IamAuth();
  }

  /** Anybody on the internet, at your cost. */
  static none(): InferenceAuth {
    return new NoAuth();
  }

  /** Called by `InferenceApi`. */
  abstract bind(): IHttpRouteAuthorizer;
}

class IamAuth extends InferenceAuth {
  bind(): IHttpRouteAuthorizer {
    return new HttpIamAuthorizer();
  }
}

class NoAuth extends InferenceAuth {
  bind(): IHttpRouteAuthorizer {
    return new HttpNoneAuthorizer();
  }
}
