import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Validations } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { MANAGE_NETWORK_INTERFACES, WRITE_LOGS, WRITE_TRACES } from './permissions.js';

export interface InferenceFunctionRoleOptions {
  readonly modelName: string;
  readonly logGroup: ILogGroup;
  readonly tracing: boolean;
  readonly vpc: boolean;
}

/** The role of a function with exactly what its options need, inline: Lambda checks some of it while it creates the function. */
export function createFunctionRole(scope: Construct, id: string, options: InferenceFunctionRoleOptions): Role {
  const role = new Role(scope, id, {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    description: `Runs the model ${options.modelName}`,
    inlinePolicies: {
      WriteLogs: new PolicyDocument({
        statements: [new PolicyStatement({ actions: WRITE_LOGS, resources: [options.logGroup.logGroupArn] })],
      }),
      ...(options.tracing ? { WriteTraces: writeTraces() } : {}),
      ...(options.vpc ? { JoinVpc: joinVpc() } : {}),
    },
  });
  if (options.tracing || options.vpc) acknowledgeWildcard(role);
  return role;
}

function writeTraces(): PolicyDocument {
  return new PolicyDocument({ statements: [new PolicyStatement({ actions: WRITE_TRACES, resources: ['*'] })] });
}

/** The permissions are Lambda's, not the function's: what runs in the function, a hostile model included, is denied them. */
function joinVpc(): PolicyDocument {
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

/** On the resource alone: what a user grants the role lands in a policy of its own, which stays checked. */
function acknowledgeWildcard(role: Role): void {
  Validations.of(role.node.defaultChild ?? role).acknowledge({
    id: 'AwsSolutions-IAM5[Resource::*]',
    reason:
      'X-Ray has no resources; Lambda creates the network interfaces, and the code of the function is denied them.',
  });
}
