import type { Method } from 'aws-cdk-lib/aws-apigateway';
import type { HttpRoute, IDomainName } from 'aws-cdk-lib/aws-apigatewayv2';
import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { createLogGroup } from './encrypted-log-group.js';
import type { CommonApiOptions } from './inference-api-options.js';
import { MAX_API_TIMEOUT_SECONDS } from './inference-api-problems.js';
import type { InferenceTarget } from './inference-target.js';
import type { Route } from './routes.js';

/** What `InferenceApi` needs of API Gateway, an HTTP API or a REST API. */
export interface ApiGateway {
  /** Without a slash at its end. */
  readonly url: string;
  readonly domainName: IDomainName | undefined;
  readonly accessLogGroup: ILogGroup;
  readonly metrics: ApiMetrics;
  /** Routes of one model; called once for each. */
  addRoutes(target: InferenceTarget, routes: readonly Route[]): readonly AddedRoute[];
}

export interface AddedRoute {
  readonly route: Route;
  readonly resource: HttpRoute | Method;
  /** For `execute-api:Invoke`. */
  readonly arn: string;
}

/** The metrics that both types of API have, under names of their own. */
export interface ApiMetrics {
  metric(metricName: string, options?: MetricOptions): Metric;
  metricCount(options?: MetricOptions): Metric;
  metricClientError(options?: MetricOptions): Metric;
  metricServerError(options?: MetricOptions): Metric;
  metricLatency(options?: MetricOptions): Metric;
}

/** The user's log group, or one of the API's own. */
export function chooseAccessLogGroup(scope: Construct, options: CommonApiOptions): ILogGroup {
  const { accessLogGroup, accessLogRetention, accessLogEncryption } = options;
  return (
    accessLogGroup ??
    createLogGroup(scope, 'AccessLogs', { retention: accessLogRetention, encryptionKey: accessLogEncryption })
  );
}

export function apiTimeoutOf({ apiTimeout }: CommonApiOptions): Duration {
  return apiTimeout ?? Duration.seconds(MAX_API_TIMEOUT_SECONDS);
}
