import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  HttpApi,
  HttpMethod,
  HttpStage,
  type IDomainName,
  LogGroupLogDestination,
  PayloadFormatVersion,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import {
  type AddedRoute,
  type ApiGateway,
  type ApiMetrics,
  apiTimeoutOf,
  chooseAccessLogGroup,
} from './api-gateway.js';
import { bindCustomDomain, mapCustomDomain } from './custom-domain.js';
import type { HttpApiOptions } from './inference-api-options.js';
import { InferenceAuth } from './inference-auth.js';
import type { InferenceTarget } from './inference-target.js';
import type { Route } from './routes.js';

/** An HTTP API with events of payload format 2.0. */
export class HttpApiGateway implements ApiGateway {
  readonly api: HttpApi;
  readonly stage: HttpStage;
  readonly url: string;
  readonly domainName: IDomainName | undefined;
  readonly accessLogGroup: ILogGroup;
  readonly metrics: ApiMetrics;
  private readonly timeout: Duration;

  constructor(scope: Construct, options: HttpApiOptions) {
    const { auth = InferenceAuth.iam(), cors, customDomain, disableExecuteApiEndpoint, throttle } = options;
    this.timeout = apiTimeoutOf(options);
    const { authorizer, scopes } = auth.bindHttp();
    this.api = new HttpApi(scope, 'HttpApi', {
      description: 'cdk-onnx inference endpoint',
      createDefaultStage: false,
      defaultAuthorizer: authorizer,
      ...(scopes === undefined ? {} : { defaultAuthorizationScopes: [...scopes] }),
      ...(cors === undefined ? {} : { corsPreflight: cors }),
      ...(disableExecuteApiEndpoint === true ? { disableExecuteApiEndpoint: true } : {}),
    });
    this.metrics = this.api;
    this.accessLogGroup = chooseAccessLogGroup(scope, options);
    this.stage = new HttpStage(scope, 'DefaultStage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      accessLogSettings: {
        destination: new LogGroupLogDestination(this.accessLogGroup),
        format: AccessLogFormat.custom(ACCESS_LOG_FORMAT),
      },
      ...(throttle === undefined ? {} : { throttle }),
    });
    this.domainName = customDomain === undefined ? undefined : bindCustomDomain(scope, 'DomainName', customDomain);
    const { apiId } = this.api;
    const { stageName } = this.stage;
    this.url =
      customDomain === undefined || this.domainName === undefined
        ? this.api.apiEndpoint
        : mapCustomDomain(scope, this.domainName, customDomain, { apiId, stageName, stage: this.stage });
  }

  addRoutes(target: InferenceTarget, routes: readonly Route[]): readonly AddedRoute[] {
    target.answerBy('buffered');
    // aws-cdk-lib's optional properties are typed without `undefined`, its classes with: an Alias is an IFunction.
    const invoked = target.alias as IFunction;
    const integration = new HttpLambdaIntegration(`${target.modelName}Integration`, invoked, {
      payloadFormatVersion: PayloadFormatVersion.VERSION_2_0,
      timeout: this.timeout,
    });
    return routes.flatMap((route) =>
      this.api
        .addRoutes({ path: route.path, methods: [HttpMethod[route.method]], integration })
        .map((resource) => ({ route, resource, arn: resource.routeArn })),
    );
  }
}

/** JSON, one line a request; without query strings, which may hold what is not for logs. */
const ACCESS_LOG_FORMAT = JSON.stringify({
  requestId: '$context.requestId',
  time: '$context.requestTime',
  ip: '$context.identity.sourceIp',
  caller: '$context.identity.caller',
  routeKey: '$context.routeKey',
  status: '$context.status',
  responseLength: '$context.responseLength',
  integrationLatency: '$context.integrationLatency',
  integrationError: '$context.integrationErrorMessage',
});
