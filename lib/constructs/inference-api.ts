import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  type DomainMappingOptions,
  HttpApi,
  HttpMethod,
  type HttpRoute,
  HttpStage,
  type IDomainName,
  LogGroupLogDestination,
  PayloadFormatVersion,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Duration, Lazy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { bindCustomDomain, type CustomDomain } from './custom-domain.js';
import { createLogGroup } from './encrypted-log-group.js';
import { MODEL_LIST_VARIABLE } from './function-variables.js';
import type { InferenceApiOptions } from './inference-api-options.js';
import { apiProblems, MAX_API_TIMEOUT_SECONDS, modelNameProblems } from './inference-api-problems.js';
import { InferenceAuth } from './inference-auth.js';
import type { InferenceFunction } from './inference-function.js';
import { throwProblems } from './problems.js';
import { modelRoutes, type Route, SERVER_ROUTES } from './routes.js';

/** Properties of an `InferenceApi`. */
export interface InferenceApiProps extends InferenceApiOptions {
  /** One function per model; the first one also answers for the server: `/v2`, its health, and the list of models. */
  readonly functions: readonly InferenceFunction[];
}

/**
 * An HTTP API with literal routes per model.
 *
 * @throws SynthesisError with every fault of the properties
 */
export class InferenceApi extends Construct {
  /** The API, without a default stage of its own. */
  readonly httpApi: HttpApi;
  /** The stage `$default`. */
  readonly stage: HttpStage;
  /** Where a line for each request goes. */
  readonly accessLogGroup: ILogGroup;
  /** The custom domain name; a DNS record needs its `regionalDomainName` and `regionalHostedZoneId`. */
  readonly domainName: IDomainName | undefined;
  /** Every route, by method and path: `POST /predict/faces`. */
  readonly routes: ReadonlyMap<string, HttpRoute>;

  private readonly models: { readonly name: string; readonly version: number }[] = [];
  private readonly allRoutes = new Map<string, HttpRoute>();
  private readonly apiTimeout: Duration;

  constructor(scope: Construct, id: string, props: InferenceApiProps) {
    super(scope, id);
    throwProblems(this.node.path, [
      ...apiProblems(props),
      ...modelNameProblems(props.functions.map((inferenceFunction) => inferenceFunction.modelName)),
    ]);
    this.routes = this.allRoutes;
    this.apiTimeout = props.apiTimeout ?? Duration.seconds(MAX_API_TIMEOUT_SECONDS);
    const { authorizer, scopes } = (props.auth ?? InferenceAuth.iam()).bind();
    this.httpApi = new HttpApi(this, 'HttpApi', {
      description: 'cdk-onnx inference endpoint',
      createDefaultStage: false,
      defaultAuthorizer: authorizer,
      ...(scopes === undefined ? {} : { defaultAuthorizationScopes: [...scopes] }),
      ...(props.cors === undefined ? {} : { corsPreflight: props.cors }),
      ...(props.disableExecuteApiEndpoint === true ? { disableExecuteApiEndpoint: true } : {}),
    });
    this.accessLogGroup =
      props.accessLogGroup ??
      createLogGroup(this, 'AccessLogs', {
        retention: props.accessLogRetention,
        encryptionKey: props.accessLogEncryption,
      });
    const { customDomain } = props;
    this.domainName = customDomain === undefined ? undefined : bindCustomDomain(this, 'DomainName', customDomain);
    this.stage = new HttpStage(this, 'DefaultStage', {
      httpApi: this.httpApi,
      stageName: '$default',
      autoDeploy: true,
      accessLogSettings: {
        destination: new LogGroupLogDestination(this.accessLogGroup),
        format: AccessLogFormat.custom(ACCESS_LOG_FORMAT),
      },
      ...(props.throttle === undefined ? {} : { throttle: props.throttle }),
      ...(this.domainName === undefined ? {} : { domainMapping: domainMapping(this.domainName, customDomain) }),
    });
    for (const inferenceFunction of props.functions) this.addFunction(inferenceFunction);
  }

  /** The public URL, without a slash at its end. */
  get url(): string {
    return this.domainName === undefined ? this.httpApi.apiEndpoint : this.stage.domainUrl.replace(/\/$/, '');
  }

  /**
   * Adds the routes of one more model; with the first function come the routes of the server.
   *
   * @throws SynthesisError `MODEL_NAME_TWICE`
   */
  addFunction(inferenceFunction: InferenceFunction): void {
    const { modelName, taskType } = inferenceFunction;
    const routes = modelRoutes(modelName, taskType);
    if (routes.some((route) => this.allRoutes.has(routeKey(route)))) {
      throwProblems(this.node.path, modelNameProblems([modelName, modelName]));
    }
    // aws-cdk-lib's optional properties are typed without `undefined`, its classes with: an Alias is an IFunction.
    const target = inferenceFunction.alias as IFunction;
    const integration = new HttpLambdaIntegration(`${modelName}Integration`, target, {
      payloadFormatVersion: PayloadFormatVersion.VERSION_2_0,
      timeout: this.apiTimeout,
    });
    const isFirst = this.models.length === 0;
    this.models.push({ name: modelName, version: inferenceFunction.modelVersion });
    if (isFirst) {
      // Written at synth, when every model is known.
      const list = Lazy.string({ produce: () => JSON.stringify(this.models) });
      inferenceFunction.function.addEnvironment(MODEL_LIST_VARIABLE, list);
    }
    const serverRoutes = isFirst ? SERVER_ROUTES : [];
    for (const route of [...serverRoutes, ...routes]) {
      const [added] = this.httpApi.addRoutes({ path: route.path, methods: [HttpMethod[route.method]], integration });
      if (added !== undefined) this.allRoutes.set(routeKey(route), added);
    }
  }

  /** Lets someone call every route: `execute-api:Invoke`. Of use only with `InferenceAuth.iam()`. */
  grantInvoke(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: ['execute-api:Invoke'],
      resourceArns: [...this.allRoutes.values()].map((route) => route.routeArn),
    });
  }

  /** A metric of the API by its name in the namespace AWS/ApiGateway. */
  metric(metricName: string, options?: MetricOptions): Metric {
    return this.httpApi.metric(metricName, options);
  }

  /** How many requests came: a sample count. */
  metricCount(options?: MetricOptions): Metric {
    return this.httpApi.metricCount(options);
  }

  /** Answers of 400 to 499: a sum. */
  metricClientError(options?: MetricOptions): Metric {
    return this.httpApi.metricClientError(options);
  }

  /** Answers of 500 to 599: a sum. */
  metricServerError(options?: MetricOptions): Metric {
    return this.httpApi.metricServerError(options);
  }

  /** Milliseconds from a request's arrival to its answer: an average. */
  metricLatency(options?: MetricOptions): Metric {
    return this.httpApi.metricLatency(options);
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

function routeKey(route: Route): string {
  return `${route.method} ${route.path}`;
}

function domainMapping(domainName: IDomainName, domain: CustomDomain | undefined): DomainMappingOptions {
  return { domainName, ...(domain?.mappingKey === undefined ? {} : { mappingKey: domain.mappingKey }) };
}
