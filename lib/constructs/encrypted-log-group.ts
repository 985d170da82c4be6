import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { ENCRYPT_LOGS } from './permissions.js';
import type { Problem } from './problems.js';

/** What a log group that a construct creates can be given. */
export interface OwnLogGroupOptions {
  readonly retention: RetentionDays | undefined;
  readonly encryptionKey: IKey | undefined;
  /** Default: CloudFormation's, which begins with the stack's. */
  readonly name?: string;
}

/** A log group that is deleted with its stack and, where there is a key, encrypted with it; the key's policy is told so. */
export function createLogGroup(scope: Construct, id: string, options: OwnLogGroupOptions): LogGroup {
  const { retention = RetentionDays.ONE_MONTH, encryptionKey, name } = options;
  encryptionKey?.addToResourcePolicy(logsMayUseKey(scope, name));
  return new LogGroup(scope, id, {
    retention,
    removalPolicy: RemovalPolicy.DESTROY,
    ...(encryptionKey === undefined ? {} : { encryptionKey }),
    ...(name === undefined ? {} : { logGroupName: name }),
  });
}

/** For groups of this stack only. The ARN of a group that CloudFormation names cannot be given: it needs the key before it exists. */
function logsMayUseKey(scope: Construct, name: string | undefined): PolicyStatement {
  const stack = Stack.of(scope);
  const logGroups = stack.formatArn({
    service: 'logs',
    resource: 'log-group',
    resourceName: name ?? `${stack.stackName}-*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  return new PolicyStatement({
    principals: [new ServicePrincipal(`logs.${stack.region}.amazonaws.com`)],
    actions: ENCRYPT_LOGS,
    // In a key's policy, * is the key.
    resources: ['*'],
    conditions: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': logGroups } },
  });
}

/** Options of our own log group beside a log group of the user would have no effect. */
export function logGroupProblems(
  logGroup: { readonly name: string; readonly given: boolean },
  options: readonly { readonly code: string; readonly name: string; readonly given: boolean; readonly what: string }[],
): Problem[] {
  if (!logGroup.given) return [];
  return options
    .filter((option) => option.given)
    .map(({ code, name, what }) => ({
      code,
      message: `${name} is given together with ${logGroup.name}.`,
      advice: `Set the ${what} on your log group and leave ${name} out.`,
    }));
}
