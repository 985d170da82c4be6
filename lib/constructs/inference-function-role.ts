import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Stack, Validations } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import {
  DECRYPT_OBJECT,
  ENCRYPT_OBJECT,
  MANAGE_NETWORK_INTERFACES,
  READ_OBJECT,
  WRITE_LOGS,
  WRITE_OBJECT,
  WRITE_TRACES,
} from './permissions.js';
import type { RequestCapture } from './request-capture.js';
import { acknowledgeWildcard } from './wildcard-finding.js';

export interface InferenceFunctionRoleOptions {
  readonly modelName: string;
  readonly logGroup: ILogGroup;
  readonly tracing: boolean;
  readonly vpc: boolean;
  /** An object in S3 that the function loads at init. */
  readonly weights: { readonly objectArn: string } | undefined;
  /** The key of the object's bucket. */
  readonly bucketKey: IKey | undefined;
  /** Where it keeps requests. */
  readonly capture: RequestCapture | undefined;
}

/** The role of a function with exactly what its options need, inline: Lambda checks some of it while it creates the function. */
export function createFunctionRole(scope: Construct, id: string, options: InferenceFunctionRoleOptions): Role {
  const role = new Role(scope, id, {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    description: `Runs the model ${options.modelName}`,
    inlinePolicies: {
      WriteLogs: writeLogs(options.logGroup),
      ...(options.tracing ? { WriteTraces: writeTraces() } : {}),
      ...(options.vpc ? { JoinVpc: joinVpc() } : {}),
      ...(options.weights === undefined
        ? {}
        : { ReadWeights: readWeights(Stack.of(scope), options.weights.objectArn, options.bucketKey) }),
      ...(options.capture === undefined ? {} : { CaptureRequests: captureRequests(Stack.of(scope), options.capture) }),
    },
  });
  if (options.tracing || options.vpc) acknowledgeTracesAndNetwork(role);
  if (options.capture !== undefined) {
    acknowledgeWildcard(role, capturesArn(options.capture), 'The function names the objects below its prefix.');
  }
  return role;
}

export function writeLogs({ logGroupArn }: ILogGroup): PolicyDocument {
  return new PolicyDocument({ statements: [new PolicyStatement({ actions: WRITE_LOGS, resources: [logGroupArn] })] });
}

export function writeTraces(): PolicyDocument {
  return new PolicyDocument({ statements: [new PolicyStatement({ actions: WRITE_TRACES, resources: ['*'] })] });
}

/** The permissions are Lambda's, not the function's: what runs in the function, a hostile model included, is denied them. */
export function joinVpc(): PolicyDocument {
  return new PolicyDocument({
    statements: [
      new PolicyStatement({ actions: MANAGE_NETWORK_INTERFACES, resources: ['*'] }),
      new PolicyStatement({
        effect: Effect.DENY,
        actions: MANAGE_NETWORK_INTERFACES,
        resources: ['*'],
        // Present in every call that comes from a function's code, absent from Lambda's own:
        // https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
        conditions: { Null: { 'lambda:SourceFunctionArn': 'false' } },
      }),
    ],
  });
}

/** The key's policy has to leave permissions to IAM, as the CDK's bootstrap stack and every key of a console do. */
function readWeights(stack: Stack, objectArn: string, bucketKey: IKey | undefined): PolicyDocument {
  const statements = [new PolicyStatement({ actions: READ_OBJECT, resources: [objectArn] })];
  if (bucketKey !== undefined) {
    statements.push(
      new PolicyStatement({
        actions: DECRYPT_OBJECT,
        resources: [bucketKey.keyArn],
        conditions: throughS3(stack),
      }),
    );
  }
  return new PolicyDocument({ statements });
}

function captureRequests(stack: Stack, capture: RequestCapture): PolicyDocument {
  const { key } = capture;
  const statements = [new PolicyStatement({ actions: WRITE_OBJECT, resources: [capturesArn(capture)] })];
  if (key !== undefined) {
    statements.push(
      new PolicyStatement({ actions: ENCRYPT_OBJECT, resources: [key.keyArn], conditions: throughS3(stack) }),
    );
  }
  return new PolicyDocument({ statements });
}

function capturesArn({ bucket, prefix }: RequestCapture): string {
  return bucket.arnForObjects(`${prefix}*`);
}

function throughS3(stack: Stack): Record<string, Record<string, string>> {
  return { StringEquals: { 'kms:ViaService': `s3.${stack.region}.${stack.urlSuffix}` } };
}

/** On the resource alone: what a user grants the role lands in a policy of its own, which stays checked. */
export function acknowledgeTracesAndNetwork(role: Role): void {
  Validations.of(role.node.defaultChild ?? role).acknowledge({
    id: 'AwsSolutions-IAM5[Resource::*]',
    reason:
      'X-Ray has no resources; Lambda creates the network interfaces, and the code of the function is denied them.',
  });
}
