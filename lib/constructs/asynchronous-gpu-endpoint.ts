import { Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Bucket, IBucket } from 'aws-cdk-lib/aws-s3';
import { Duration, Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { GpuEndpointBase, type GpuEndpointPlan } from './gpu-endpoint-base.js';
import type { AsynchronousGpuEndpointProps } from './gpu-endpoint-options.js';
import { asynchronousProblems, PRIMARY_VARIANT } from './gpu-endpoint-problems.js';
import {
  asynchronousBounds,
  backlogTracking,
  createWakeUp,
  type GpuWakeUp,
  leaveChoice,
  oneAtLeast,
} from './gpu-endpoint-scaling.js';
import {
  asyncInferenceConfig,
  corsRulesOf,
  createQueueBucket,
  QUEUE_PREFIXES,
  type QueuePages,
  queueOf,
} from './gpu-queue.js';
import { DECRYPT_OBJECT, ENCRYPT_OBJECT, INVOKE_ENDPOINT_ASYNC, READ_OBJECT, WRITE_OBJECT } from './permissions.js';
import { throwProblems } from './problems.js';

/** A model on a GPU with a queue in front: `InvokeEndpointAsync`. */
export class AsynchronousGpuEndpoint extends GpuEndpointBase {
  /** Where requests, results and failures are. */
  readonly bucket: IBucket;
  /** In front of the keys of requests that callers put: `InputLocation` is `s3://<bucket>/<prefix>…`. */
  readonly requestPrefix = QUEUE_PREFIXES.requests;
  /** In front of the keys of results, which SageMaker names: `OutputLocation` of its answer. */
  readonly resultPrefix = QUEUE_PREFIXES.results;
  /** In front of the keys of failures: `FailureLocation` of its answer. */
  readonly failurePrefix = QUEUE_PREFIXES.failures;
  /** What starts the first instance; undefined where there always is one. */
  readonly wakeUp: GpuWakeUp | undefined;
  /** Of what is in the bucket; undefined where that is S3's own. */
  readonly encryptionKey: IKey | undefined;
  private readonly ownBucket: Bucket | undefined;

  /** As `GpuEndpoint.asynchronous`. */
  constructor(scope: Construct, id: string, props: AsynchronousGpuEndpointProps) {
    // The bucket is a child of the endpoint, which is there only within `super`.
    let created: Bucket | undefined;
    super(scope, id, (endpoint): GpuEndpointPlan => {
      throwProblems(endpoint.node.path, asynchronousProblems(Stack.of(endpoint), props));
      if (props.bucket === undefined) created = createQueueBucket(endpoint, 'Bucket', props);
      const bucket = bucketOf(props, created);
      return {
        props,
        variants: [
          {
            name: PRIMARY_VARIANT,
            model: props.model,
            weight: 1,
            instances: oneAtLeast(asynchronousBounds(props.scaling).min),
            instanceType: props.instanceType,
          },
        ],
        queue: queueOf(bucket, props),
        config: { asyncInferenceConfig: asyncInferenceConfig(bucket, props) },
        scalingOf: (_, endpointName) => {
          const bounds = asynchronousBounds(props.scaling);
          return leaveChoice(bounds)
            ? { ...bounds, tracking: backlogTracking(endpointName, props.scaling) }
            : undefined;
        },
      };
    });
    this.ownBucket = created;
    this.bucket = bucketOf(props, created);
    this.encryptionKey = props.encryption ?? this.bucket.encryptionKey;
    const scaled = this.scaling.get(PRIMARY_VARIANT);
    const waiting = this.metricHasBacklogWithoutCapacity({ period: Duration.minutes(1) });
    const variant = { endpointName: this.endpointName, variantName: PRIMARY_VARIANT };
    this.wakeUp =
      scaled === undefined || asynchronousBounds(props.scaling).min > 0
        ? undefined
        : createWakeUp(this, 'WakeUp', variant, scaled, waiting);
  }

  /** Lets someone queue requests, put what they name, and read what becomes of them. */
  override grantInvoke(grantee: IGrantable): Grant {
    const objects = (prefix: string) => this.bucket.arnForObjects(`${prefix}*`);
    const grants = [
      { actions: INVOKE_ENDPOINT_ASYNC, resourceArns: [this.endpointArn] },
      { actions: WRITE_OBJECT, resourceArns: [objects(this.requestPrefix)] },
      { actions: READ_OBJECT, resourceArns: [objects(this.resultPrefix), objects(this.failurePrefix)] },
    ].map((grant) => Grant.addToPrincipal({ grantee, ...grant }));
    if (this.encryptionKey !== undefined)
      grants.push(this.encryptionKey.grant(grantee, ...DECRYPT_OBJECT, ...ENCRYPT_OBJECT));
    return grants.reduce((all, grant) => all.combine(grant));
  }

  /**
   * Lets web pages of these origins put requests into the bucket and read results, by addresses that somebody signed for them. An `InferenceApi`
   * with `cors` does it; a bucket of yours is left as it is.
   */
  allowPages(pages: QueuePages): void {
    for (const rule of corsRulesOf(pages)) this.ownBucket?.addCorsRule(rule);
  }

  /** How many requests wait or are worked on: an average. */
  metricBacklogSize(options?: MetricOptions): Metric {
    return this.queueMetric('ApproximateBacklogSize', options);
  }

  /** The same for each instance: an average. */
  metricBacklogSizePerInstance(options?: MetricOptions): Metric {
    return this.queueMetric('ApproximateBacklogSizePerInstance', options);
  }

  /** 1 while requests wait and there is no instance, else 0: an average. */
  metricHasBacklogWithoutCapacity(options?: MetricOptions): Metric {
    return this.queueMetric('HasBacklogWithoutCapacity', options);
  }

  /** Microseconds from a request to the start of its work: an average. */
  metricTimeInBacklog(options?: MetricOptions): Metric {
    return this.queueMetric('TimeInBacklog', options);
  }

  /** How many requests were given up: a sum. */
  metricExpiredRequests(options?: MetricOptions): Metric {
    return this.queueMetric('ExpiredRequests', { statistic: Stats.SUM, ...options });
  }

  /** How many requests were worked on: a sum. */
  metricProcessed(options?: MetricOptions): Metric {
    return this.queueMetric('InvocationsProcessed', { statistic: Stats.SUM, ...options });
  }

  /** How many requests failed: a sum. */
  metricFailures(options?: MetricOptions): Metric {
    return this.queueMetric('InvocationFailures', { statistic: Stats.SUM, ...options });
  }

  private queueMetric(metricName: string, options: MetricOptions = {}): Metric {
    return new Metric({
      statistic: Stats.AVERAGE,
      ...options,
      namespace: 'AWS/SageMaker',
      metricName,
      dimensionsMap: { EndpointName: this.endpointName, ...options.dimensionsMap },
    }).attachTo(this);
  }
}

/** aws-cdk-lib's optional properties are typed without `undefined`, its classes with: a Bucket is an IBucket. */
function bucketOf({ bucket }: AsynchronousGpuEndpointProps, created: Bucket | undefined): IBucket {
  return bucket ?? (created as IBucket);
}
