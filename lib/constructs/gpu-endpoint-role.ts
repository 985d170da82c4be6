import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import {
  CREATE_ENDPOINT_INTERFACES,
  DECRYPT_OBJECT,
  DELETE_ENDPOINT_INTERFACES,
  DESCRIBE_NETWORK,
  ENCRYPT_OBJECT,
  LOG_IN_TO_ECR,
  PUBLISH_INSTANCE_METRICS,
  PUBLISH_TO_TOPIC,
  PULL_IMAGE,
  READ_OBJECT,
  WRITE_ENDPOINT_LOGS,
  WRITE_OBJECT,
  WRITE_RESULT,
} from './permissions.js';
import { acknowledgeWildcard } from './wildcard-finding.js';

export interface GpuEndpointRoleOptions {
  readonly modelName: string;
  readonly logGroup: ILogGroup;
  readonly repositoryArn: string;
  /** The archives of all variants. */
  readonly objectArns: readonly string[];
  /** The key of their bucket. */
  readonly bucketKey: IKey | undefined;
  readonly network:
    | {
        readonly subnetIds: readonly string[];
        /** The account that the subnets are of, which may share them with this one. */
        readonly ownerAccount: string;
        readonly securityGroupIds: readonly string[];
      }
    | undefined;
  readonly capture: { readonly bucket: IBucket; readonly prefix: string; readonly key: IKey | undefined } | undefined;
  readonly queue:
    | {
        readonly bucket: IBucket;
        readonly requests: string;
        readonly results: readonly string[];
        readonly key: IKey | undefined;
        readonly topics: readonly ITopic[];
      }
    | undefined;
}

/**
 * What SageMaker does with the endpoint's role, and nothing else, inline: it looks some of it up while it creates the model. Triton itself runs
 * without it where the network is isolated. https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html, CreateModel API
 */
export function createGpuEndpointRole(scope: Construct, id: string, options: GpuEndpointRoleOptions): Role {
  const { capture, queue, network } = options;
  const stack = Stack.of(scope);
  const role = new Role(scope, id, {
    assumedBy: new ServicePrincipal('sagemaker.amazonaws.com'),
    description: `Serves the model ${options.modelName} on a GPU`,
    inlinePolicies: {
      WriteLogs: documentOf([{ actions: WRITE_ENDPOINT_LOGS, resources: [options.logGroup.logGroupArn] }]),
      PublishMetrics: documentOf([
        {
          actions: PUBLISH_INSTANCE_METRICS,
          resources: ['*'],
          conditions: { StringEquals: { 'cloudwatch:namespace': ['/aws/sagemaker/Endpoints', 'AWS/SageMaker'] } },
        },
      ]),
      PullImage: documentOf([
        { actions: LOG_IN_TO_ECR, resources: ['*'] },
        { actions: PULL_IMAGE, resources: [options.repositoryArn] },
      ]),
      ReadArchive: documentOf([
        { actions: READ_OBJECT, resources: [...options.objectArns] },
        ...(options.bucketKey === undefined ? [] : [throughS3(stack, DECRYPT_OBJECT, options.bucketKey)]),
      ]),
      ...(network === undefined ? {} : { JoinVpc: joinVpc(stack, network) }),
      ...(capture === undefined
        ? {}
        : {
            CaptureData: documentOf([
              { actions: WRITE_OBJECT, resources: [objectsArn(capture.bucket, capture.prefix)] },
              ...(capture.key === undefined ? [] : [throughS3(stack, ENCRYPT_OBJECT, capture.key)]),
            ]),
          }),
      ...(queue === undefined ? {} : { AnswerQueue: answerQueue(stack, queue) }),
    },
  });
  acknowledgeWildcard(
    role,
    '*',
    'ECR logs in to no repository, CloudWatch publishes to no resource, and ec2:Describe… knows none.',
  );
  if (network !== undefined) {
    acknowledgeWildcard(
      role,
      interfacesArn(stack),
      'SageMaker creates the interfaces, in these subnets and groups only.',
    );
  }
  const objects = [
    ...(capture === undefined ? [] : [objectsArn(capture.bucket, capture.prefix)]),
    ...(queue === undefined
      ? []
      : [queue.requests, ...queue.results].map((prefix) => objectsArn(queue.bucket, prefix))),
  ];
  for (const arn of objects) acknowledgeWildcard(role, arn, 'Callers and SageMaker name the objects below a prefix.');
  return role;
}

type StatementOptions = ConstructorParameters<typeof PolicyStatement>[0];

function documentOf(statements: readonly StatementOptions[]): PolicyDocument {
  return new PolicyDocument({ statements: statements.map((statement) => new PolicyStatement(statement)) });
}

/** The key's policy has to leave permissions to IAM, as every key of the CDK and of a console does. */
function throughS3(stack: Stack, actions: string[], key: IKey): StatementOptions {
  return {
    actions,
    resources: [key.keyArn],
    conditions: { StringEquals: { 'kms:ViaService': `s3.${stack.region}.${stack.urlSuffix}` } },
  };
}

function interfacesArn(stack: Stack): string {
  return stack.formatArn({ service: 'ec2', resource: 'network-interface', resourceName: '*' });
}

function objectsArn(bucket: IBucket, prefix: string): string {
  return bucket.arnForObjects(`${prefix}*`);
}

/** https://docs.aws.amazon.com/sagemaker/latest/dg/host-vpc.html; interfaces in these subnets and groups only. */
function joinVpc(stack: Stack, network: NonNullable<GpuEndpointRoleOptions['network']>): PolicyDocument {
  const arn =
    (resource: string, account = stack.account) =>
    (resourceName: string) =>
      stack.formatArn({ service: 'ec2', account, resource, resourceName });
  const interfaces = interfacesArn(stack);
  return documentOf([
    {
      actions: CREATE_ENDPOINT_INTERFACES,
      resources: [
        ...network.subnetIds.map(arn('subnet', network.ownerAccount)),
        ...network.securityGroupIds.map(arn('security-group')),
        interfaces,
      ],
    },
    { actions: DELETE_ENDPOINT_INTERFACES, resources: [interfaces] },
    { actions: DESCRIBE_NETWORK, resources: ['*'] },
  ]);
}

function answerQueue(stack: Stack, queue: NonNullable<GpuEndpointRoleOptions['queue']>): PolicyDocument {
  const { bucket, key, topics } = queue;
  const topicKeys = [...new Set(topics.flatMap(({ masterKey }) => masterKey ?? []))];
  return documentOf([
    { actions: READ_OBJECT, resources: [objectsArn(bucket, queue.requests)] },
    { actions: WRITE_RESULT, resources: queue.results.map((prefix) => objectsArn(bucket, prefix)) },
    ...(key === undefined ? [] : [throughS3(stack, [...DECRYPT_OBJECT, ...ENCRYPT_OBJECT], key)]),
    ...(topics.length === 0 ? [] : [{ actions: PUBLISH_TO_TOPIC, resources: topics.map(({ topicArn }) => topicArn) }]),
    ...topicKeys.map((topicKey) => ({
      actions: [...DECRYPT_OBJECT, ...ENCRYPT_OBJECT],
      resources: [topicKey.keyArn],
      conditions: { StringEquals: { 'kms:ViaService': `sns.${stack.region}.${stack.urlSuffix}` } },
    })),
  ]);
}
