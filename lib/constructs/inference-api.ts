import type { Method, RestApi, UsagePlan } from 'aws-cdk-lib/aws-apigateway';
import type { HttpApi, HttpRoute, HttpStage, IDomainName } from 'aws-cdk-lib/aws-apigatewayv2';
import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Lazy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { SynthesisError } from '../errors.js';
import type { ApiGateway } from './api-gateway.js';
import { checkLimitsAtSynth } from './api-limits.js';
import { MODEL_LIST_VARIABLE } from './function-variables.js';
import { HttpApiGateway } from './http-api-gateway.js';
import type { InferenceApiOptions } from './inference-api-options.js';
import { apiProblems, modelNameProblems, targetProblems } from './inference-api-problems.js';
import { hasJobs, type InferenceTarget, type Routing } from './inference-target.js';
import { throwProblems } from './problems.js';
import { RestApiGateway } from './rest-api-gateway.js';
import { jobRoutes, modelRoutes, type Route, SERVER_ROUTES } from './routes.js';

/** Properties of an `InferenceApi`. */
export type InferenceApiProps = InferenceApiOptions & {
  /**
   * One function per model, or the router in front of it; the first one also answers for the server: `/v2`, its health, and the list of
   * models.
   */
  readonly functions: readonly InferenceTarget[];
};

/**
 * An HTTP API or a REST API with literal routes per model.
 *
 * @throws SynthesisError with every fault of the properties
 */
export class InferenceApi extends Construct {
  /** Which of the two it is. */
  readonly apiType: 'http' | 'rest';
  /** Where a line for each request goes. */
  readonly accessLogGroup: ILogGroup;
  /** The custom domain name; a DNS record needs its `regionalDomainName` and `regionalHostedZoneId`. */
  readonly domainName: IDomainName | undefined;
  /** Every route, by method and path: `POST /predict/faces`. Routes of an HTTP API, methods of a REST API. */
  readonly routes: ReadonlyMap<string, HttpRoute | Method>;

  private readonly models: { readonly name: string; readonly version: number; readonly routing?: Routing }[] = [];
  private readonly allRoutes = new Map<string, HttpRoute | Method>();
  private readonly routeArns: string[] = [];
  private readonly gateway: HttpApiGateway | RestApiGateway;
  private readonly apiOptions: InferenceApiOptions;

  constructor(scope: Construct, id: string, props: InferenceApiProps) {
    super(scope, id);
    throwProblems(this.node.path, [
      ...apiProblems(props),
      ...modelNameProblems(props.functions.map(({ modelName }) => modelName)),
    ]);
    this.routes = this.allRoutes;
    this.apiOptions = props;
    this.apiType = props.apiType ?? 'http';
    this.gateway = props.apiType === 'rest' ? new RestApiGateway(this, props) : new HttpApiGateway(this, props);
    this.accessLogGroup = this.gateway.accessLogGroup;
    this.domainName = this.gateway.domainName;
    checkLimitsAtSynth(this, () => this.models.length);
    for (const target of props.functions) this.addFunction(target);
  }

  /** The public URL, without a slash at its end. That of a REST API ends with its stage, that of a custom domain with its mapping key. */
  get url(): string {
    return this.gateway.url;
  }

  /**
   * The HTTP API itself.
   *
   * @throws SynthesisError `API_TYPE` for a REST API
   */
  get httpApi(): HttpApi {
    return this.ofHttpApi('httpApi').api;
  }

  /**
   * The HTTP API's stage `$default`.
   *
   * @throws SynthesisError `API_TYPE` for a REST API, whose stage is `restApi.deploymentStage`
   */
  get stage(): HttpStage {
    return this.ofHttpApi('stage').stage;
  }

  /**
   * The REST API itself.
   *
   * @throws SynthesisError `API_TYPE` for an HTTP API
   */
  get restApi(): RestApi {
    return this.ofRestApi('restApi').api;
  }

  /**
   * By name.
   *
   * @throws SynthesisError `API_TYPE` for an HTTP API
   */
  get usagePlans(): ReadonlyMap<string, UsagePlan> {
    return this.ofRestApi('usagePlans').usagePlans;
  }

  /**
   * Adds the routes of one more model; with the first function come the routes of the server.
   *
   * @throws SynthesisError `MODEL_NAME_TWICE`, `RESPONSE_MODE_CHANGED`, `STREAMING_WITH_ROUTER`, `API_TIMEOUT_BELOW_ROUTER`
   */
  addFunction(target: InferenceTarget): void {
    const { modelName, taskType } = target;
    throwProblems(this.node.path, targetProblems(target, this.apiOptions));
    const routes = [...modelRoutes(modelName, taskType), ...(hasJobs(target) ? jobRoutes(modelName) : [])];
    if (routes.some((route) => this.allRoutes.has(routeKey(route)))) {
      throwProblems(this.node.path, modelNameProblems([modelName, modelName]));
    }
    const isFirst = this.models.length === 0;
    const gateway: ApiGateway = this.gateway;
    for (const { route, resource, arn } of gateway.addRoutes(target, [...(isFirst ? SERVER_ROUTES : []), ...routes])) {
      this.allRoutes.set(routeKey(route), resource);
      this.routeArns.push(arn);
    }
    if (this.apiOptions.cors !== undefined) target.allowPages(this.apiOptions.cors);
    const { routing } = target;
    this.models.push({ name: modelName, version: target.modelVersion, ...(routing === undefined ? {} : { routing }) });
    if (isFirst) {
      // Written at synth, when every model is known.
      const list = Lazy.string({ produce: () => JSON.stringify(this.models) });
      target.functions.at(-1)?.addEnvironment(MODEL_LIST_VARIABLE, list);
    }
  }

  /** Lets someone call every route: `execute-api:Invoke`. Of use only with `InferenceAuth.iam()`. */
  grantInvoke(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: ['execute-api:Invoke'],
      resourceArns: [...this.routeArns],
    });
  }

  /** A metric of the API by its name in the namespace AWS/ApiGateway. */
  metric(metricName: string, options?: MetricOptions): Metric {
    return this.gateway.metrics.metric(metricName, options);
  }

  /** How many requests came: a sample count. */
  metricCount(options?: MetricOptions): Metric {
    return this.gateway.metrics.metricCount(options);
  }

  /** Answers of 400 to 499: a sum. */
  metricClientError(options?: MetricOptions): Metric {
    return this.gateway.metrics.metricClientError(options);
  }

  /** Answers of 500 to 599: a sum. */
  metricServerError(options?: MetricOptions): Metric {
    return this.gateway.metrics.metricServerError(options);
  }

  /** Milliseconds from a request's arrival to its answer: an average. */
  metricLatency(options?: MetricOptions): Metric {
    return this.gateway.metrics.metricLatency(options);
  }

  private ofHttpApi(property: string): HttpApiGateway {
    if (this.gateway instanceof HttpApiGateway) return this.gateway;
    throw this.otherApiType(property, 'a REST API', 'http');
  }

  private ofRestApi(property: string): RestApiGateway {
    if (this.gateway instanceof RestApiGateway) return this.gateway;
    throw this.otherApiType(property, 'an HTTP API', 'rest');
  }

  private otherApiType(property: string, what: string, needed: 'http' | 'rest'): SynthesisError {
    return new SynthesisError({
      code: 'API_TYPE',
      message: `${this.node.path} is ${what}, which has no ${property}.`,
      advice: `Look at apiType first, or make the API one of type '${needed}'.`,
    });
  }
}

function routeKey(route: Route): string {
  return `${route.method} ${route.path}`;
}
