import {
  AccessLogFormat,
  type AuthorizationType,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  type MethodOptions,
  ResponseTransferMode,
  RestApi,
  type UsagePlan,
} from 'aws-cdk-lib/aws-apigateway';
import type { IDomainName } from 'aws-cdk-lib/aws-apigatewayv2';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import { Annotations, Names, Validations } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import {
  type AddedRoute,
  type ApiGateway,
  type ApiMetrics,
  apiTimeoutOf,
  chooseAccessLogGroup,
} from './api-gateway.js';
import { bindCustomDomain, mapCustomDomain } from './custom-domain.js';
import { CORS_VARIABLE } from './function-variables.js';
import type { RestApiOptions } from './inference-api-options.js';
import { InferenceAuth, type RestAuthConfig } from './inference-auth.js';
import { hasJobs, type InferenceTarget } from './inference-target.js';
import { RestCors } from './rest-cors.js';
import { RestRequestValidation } from './rest-request-validation.js';
import type { Route } from './routes.js';
import { createUsagePlans } from './usage-plans.js';
import { attachWebAcl } from './web-acl.js';

const DEFAULT_STAGE_NAME = 'prod';

/** A REST API with Lambda proxy integrations, one resource for each segment of a path. */
export class RestApiGateway implements ApiGateway {
  readonly api: RestApi;
  readonly url: string;
  readonly domainName: IDomainName | undefined;
  readonly accessLogGroup: ILogGroup;
  readonly metrics: ApiMetrics;
  /** By name. */
  readonly usagePlans: ReadonlyMap<string, UsagePlan>;
  readonly webAclAssociation: CfnWebACLAssociation | undefined;

  private readonly options: RestApiOptions;
  private readonly methodOptions: MethodOptions;
  private readonly cors: RestCors | undefined;
  private readonly validation: RestRequestValidation | undefined;

  constructor(scope: Construct, options: RestApiOptions) {
    const { auth = InferenceAuth.iam(), cors, customDomain, usagePlans = [], webAcl } = options;
    this.options = options;
    this.accessLogGroup = chooseAccessLogGroup(scope, options);
    this.api = new RestApi(scope, 'RestApi', restApiProps(scope, options, this.accessLogGroup));
    // Output of CDK's own; the endpoint has one with the URL that is meant.
    this.api.node.tryRemoveChild('Endpoint');
    const stage = this.api.deploymentStage;
    this.metrics = stage;
    const authConfig = auth.bindRest(scope);
    if (authConfig.fingerprint !== undefined) this.api.latestDeployment?.addToLogicalId(authConfig.fingerprint);
    this.methodOptions = methodOptions(authConfig, usagePlans.length > 0);
    this.cors = cors === undefined ? undefined : new RestCors(this.api, cors);
    this.validation = options.requestValidation === true ? new RestRequestValidation(this.api) : undefined;
    this.usagePlans = createUsagePlans(scope, this.api, usagePlans);
    this.webAclAssociation = webAcl === undefined ? undefined : attachWebAcl(scope, webAcl, stage.stageArn);
    this.domainName = customDomain === undefined ? undefined : bindCustomDomain(scope, 'DomainName', customDomain);
    const { restApiId: apiId } = this.api;
    const { stageName } = stage;
    this.url =
      customDomain === undefined || this.domainName === undefined
        ? this.api.url.replace(/\/$/, '')
        : mapCustomDomain(scope, this.domainName, customDomain, { apiId, stageName, stage });
    acknowledgeRules(this.api, authConfig.authorizationType, options);
    sayWhatDeploymentMeans(scope, options);
  }

  addRoutes(target: InferenceTarget, routes: readonly Route[]): readonly AddedRoute[] {
    const { streaming = false } = this.options;
    target.answerBy(streaming ? 'streamed' : 'buffered');
    if (this.cors !== undefined) {
      for (const answering of target.functions)
        answering.addEnvironment(CORS_VARIABLE, this.cors.functionVariable(hasJobs(target)));
    }
    // aws-cdk-lib's optional properties are typed without `undefined`, its classes with: an Alias is an IFunction.
    const invoked = target.alias as IFunction;
    const integration = new LambdaIntegration(invoked, {
      timeout: apiTimeoutOf(this.options),
      // One permission for all routes of a function: a policy of a function holds 20 KB, a stack 500 resources.
      scopePermissionToMethod: false,
      ...(streaming ? { responseTransferMode: ResponseTransferMode.STREAM } : {}),
    });
    return routes.map((route) => {
      const resource = this.api.root.resourceForPath(route.path);
      this.cors?.addPreflight(resource, hasJobs(target));
      const method = resource.addMethod(route.method, integration, {
        ...this.methodOptions,
        ...this.validation?.methodOptions(route),
      });
      return { route, resource: method, arn: method.methodArn };
    });
  }
}

function restApiProps(
  scope: Construct,
  options: RestApiOptions,
  accessLogGroup: ILogGroup,
): ConstructorParameters<typeof RestApi>[2] {
  const { stageName = DEFAULT_STAGE_NAME, endpointType = EndpointType.REGIONAL, throttle } = options;
  return {
    description: 'cdk-onnx inference endpoint',
    // The dimension of the API's metrics, so it has to tell APIs of one account apart.
    restApiName: Names.uniqueResourceName(scope, { maxLength: 128 }),
    endpointTypes: [endpointType],
    // Any other list makes API Gateway read pictures as text, and hand out base64 to whom it does not see accept the type.
    binaryMediaTypes: ['*/*'],
    cloudWatchRole: options.cloudWatchRole ?? false,
    ...(options.resourcePolicy === undefined ? {} : { policy: options.resourcePolicy }),
    ...(options.disableExecuteApiEndpoint === true ? { disableExecuteApiEndpoint: true } : {}),
    deployOptions: {
      stageName,
      accessLogDestination: new LogGroupLogDestination(accessLogGroup),
      accessLogFormat: AccessLogFormat.custom(ACCESS_LOG_FORMAT),
      ...(throttle === undefined
        ? {}
        : { throttlingRateLimit: throttle.rateLimit, throttlingBurstLimit: throttle.burstLimit }),
    },
  };
}

function methodOptions(
  { authorizationType, authorizer, scopes }: RestAuthConfig,
  apiKeyRequired: boolean,
): MethodOptions {
  return {
    authorizationType,
    apiKeyRequired,
    ...(authorizer === undefined ? {} : { authorizer }),
    ...(scopes === undefined ? {} : { authorizationScopes: [...scopes] }),
  };
}

/** Rules of cdk-nag that ask for something else than what is there. A missing web ACL and missing authorization stay the user's to decide. */
function acknowledgeRules(
  api: RestApi,
  authorizationType: AuthorizationType,
  { requestValidation, cloudWatchRole }: RestApiOptions,
): void {
  const validations = Validations.of(api);
  validations.acknowledge({
    id: 'AwsSolutions-APIG6',
    reason:
      'Access logs tell of every request. Execution logs lie in a log group that no stack owns, are kept for ever, and may hold parts of requests.',
  });
  if (requestValidation !== true) {
    validations.acknowledge({
      id: 'AwsSolutions-APIG2',
      reason: "The function checks each request against the model's signature.",
    });
  }
  if (authorizationType !== 'NONE') {
    validations.acknowledge({ id: 'AwsSolutions-COG4', reason: `Callers are checked by ${authorizationType}.` });
  }
  if (cloudWatchRole === true) {
    validations.acknowledge({
      id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
      reason: 'The policy that API Gateway documents for its role, which serves every API of the account.',
    });
  }
}

function sayWhatDeploymentMeans(scope: Construct, options: RestApiOptions): void {
  const annotations = Annotations.of(scope);
  if (options.customDomain === undefined) {
    annotations.addInfoV2(
      'cdk-onnx:api-type',
      'A REST API. If this endpoint is deployed as an HTTP API now, deploying replaces its URL, and so does a change back; a customDomain keeps the URL.',
    );
  }
  if (options.cloudWatchRole !== true) {
    annotations.addInfoV2(
      'cdk-onnx:cloudwatch-role',
      'The access logs need the role for CloudWatch Logs that API Gateway has once per account and region. Where there is none, set cloudWatchRole in one stack.',
    );
  }
}

/** JSON, one line a request; without query strings, which may hold what is not for logs. */
const ACCESS_LOG_FORMAT = JSON.stringify({
  requestId: '$context.requestId',
  time: '$context.requestTime',
  ip: '$context.identity.sourceIp',
  caller: '$context.identity.caller',
  apiKeyId: '$context.identity.apiKeyId',
  httpMethod: '$context.httpMethod',
  resourcePath: '$context.resourcePath',
  status: '$context.status',
  responseLength: '$context.responseLength',
  integrationLatency: '$context.integrationLatency',
  integrationError: '$context.integrationErrorMessage',
  error: '$context.error.message',
  wafStatus: '$context.waf.status',
});
