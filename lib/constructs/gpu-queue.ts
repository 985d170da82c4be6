/** The objects of an asynchronous endpoint: requests that callers put, and what SageMaker makes of them. */
import type { CorsPreflightOptions } from 'aws-cdk-lib/aws-apigatewayv2';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type CorsRule,
  HttpMethods,
  type IBucket,
} from 'aws-cdk-lib/aws-s3';
import type { CfnEndpointConfig } from 'aws-cdk-lib/aws-sagemaker';
import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { AsynchronousGpuEndpointProps } from './gpu-endpoint-options.js';
import type { GpuEndpointRoleOptions } from './gpu-endpoint-role.js';

export const QUEUE_PREFIXES = { requests: 'requests/', results: 'results/', failures: 'failures/' } as const;
const DEFAULT_EXPIRY = Duration.days(1);
const ABANDONED_UPLOADS = Duration.days(1);

/** For nobody but who is granted it. It outlives its stack: CloudFormation deletes no bucket with objects, and these expire by themselves. */
export function createQueueBucket(
  scope: Construct,
  id: string,
  { expiry = DEFAULT_EXPIRY, encryption }: Pick<AsynchronousGpuEndpointProps, 'expiry' | 'encryption'>,
): Bucket {
  const bucket = new Bucket(scope, id, {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    enforceSSL: true,
    removalPolicy: RemovalPolicy.RETAIN,
    lifecycleRules: [{ expiration: expiry, abortIncompleteMultipartUploadAfter: ABANDONED_UPLOADS }],
    ...(encryption === undefined
      ? { encryption: BucketEncryption.S3_MANAGED }
      : { encryption: BucketEncryption.KMS, encryptionKey: encryption, bucketKeyEnabled: true }),
  });
  Validations.of(bucket.node.defaultChild ?? bucket).acknowledge({
    id: 'AwsSolutions-S1',
    reason: 'Requests and results that expire; a bucket of your own can log what is done in it.',
  });
  return bucket;
}

/** What web pages may do with the bucket's objects, by addresses that a router gives them. */
export type QueuePages = Pick<CorsPreflightOptions, 'allowOrigins' | 'maxAge'>;

export function corsRulesOf({ allowOrigins = [], maxAge }: QueuePages): CorsRule[] {
  const ofBoth = maxAge === undefined ? {} : { maxAge: maxAge.toSeconds() };
  return [
    // The headers that an upload's address is signed with; see functions/router/jobs/job-upload.ts.
    {
      allowedMethods: [HttpMethods.PUT],
      allowedOrigins: [...allowOrigins],
      allowedHeaders: ['content-type', 'if-none-match'],
      ...ofBoth,
    },
    // An API redirects to a result, and a browser that is redirected to a third origin no longer says whose page asks: it sends `Origin: null`.
    // Nobody gets more by it: the address alone lets anyone read the result. https://fetch.spec.whatwg.org/#concept-http-redirect-fetch
    { allowedMethods: [HttpMethods.GET], allowedOrigins: ['*'], ...ofBoth },
  ];
}

export function queueOf(
  bucket: IBucket,
  { encryption, successTopic, errorTopic }: AsynchronousGpuEndpointProps,
): NonNullable<GpuEndpointRoleOptions['queue']> {
  return {
    bucket,
    requests: QUEUE_PREFIXES.requests,
    results: [QUEUE_PREFIXES.results, QUEUE_PREFIXES.failures],
    key: encryption ?? bucket.encryptionKey,
    topics: [...new Set([successTopic, errorTopic].flatMap((topic) => topic ?? []))],
  };
}

export function asyncInferenceConfig(
  bucket: IBucket,
  props: AsynchronousGpuEndpointProps,
): CfnEndpointConfig.AsyncInferenceConfigProperty {
  const { encryption, successTopic, errorTopic, maxConcurrentInvocationsPerInstance } = props;
  const path = (prefix: string) => bucket.s3UrlForObject(prefix.replace(/\/$/, ''));
  const topics = {
    ...(successTopic === undefined ? {} : { successTopic: successTopic.topicArn }),
    ...(errorTopic === undefined ? {} : { errorTopic: errorTopic.topicArn }),
  };
  return {
    outputConfig: {
      s3OutputPath: path(QUEUE_PREFIXES.results),
      s3FailurePath: path(QUEUE_PREFIXES.failures),
      ...(encryption === undefined ? {} : { kmsKeyId: encryption.keyArn }),
      ...(Object.keys(topics).length === 0 ? {} : { notificationConfig: topics }),
    },
    ...(maxConcurrentInvocationsPerInstance === undefined
      ? {}
      : { clientConfig: { maxConcurrentInvocationsPerInstance } }),
  };
}
