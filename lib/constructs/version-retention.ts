import { Policy, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  type Alias,
  Architecture,
  CfnFunction,
  type ILayerVersion,
  Function as LambdaFunction,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { type CfnResource, CustomResource, Duration, Lazy, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { createLogGroup } from './encrypted-log-group.js';
import { layerArn } from './layer-name.js';
import { DELETE_FUNCTION_VERSIONS, DELETE_LAYER_VERSIONS, LIST_VERSIONS, WRITE_LOGS } from './permissions.js';
import { versionRetentionAsset } from './prepared-asset.js';
import { acknowledgeWildcard } from './wildcard-finding.js';

const ID = 'VersionRetention';
const FUNCTION_TIMEOUT = Duration.minutes(5);
/** The three attempts that Lambda makes, with its pauses. The function ends by itself long before; this is for one that cannot start. */
const SERVICE_TIMEOUT = Duration.minutes(20);

/** A layer under a name of its own, such as ModelLayer and OnnxRuntimeLayer. */
export interface NamedLayer {
  /** Its newest version. */
  readonly layer: ILayerVersion;
  /** What all its versions are published as. */
  readonly layerName: string;
}

/** A function whose old versions are deleted. */
export interface RetainedFunction {
  /** Its `$LATEST` and what its aliases point at stay. */
  readonly function: LambdaFunction;
  /** It points to the function's current version; old ones go after it has moved. */
  readonly alias: Alias;
  /** The function's layers whose versions may go with it. */
  readonly layers: readonly NamedLayer[];
  /** How many published versions stay. */
  readonly keepVersions: number;
}

/**
 * Deletes old versions of a stack's functions, and the layer versions that nothing else uses: a custom resource that changes, and
 * so runs, with every published version. One for all functions of a stack.
 */
export class VersionRetention extends Construct {
  /** The one of the stack that `scope` is in. */
  static of(scope: Construct): VersionRetention {
    const stack = Stack.of(scope);
    return (stack.node.tryFindChild(ID) as VersionRetention | undefined) ?? new VersionRetention(stack);
  }

  /** What deletes. */
  readonly function: LambdaFunction;
  /** What it may do is `policy`, and to write its log. */
  readonly role: Role;
  /** What it may delete. */
  readonly policy: Policy;
  /** Which versions went, and why others stayed. */
  readonly logGroup: ILogGroup;
  /** What runs it. */
  readonly resource: CustomResource;

  private readonly retained: RetainedFunction[] = [];
  /** By ARN, without a version. */
  private readonly layersByArn = new Map<string, ILayerVersion>();

  private constructor(stack: Stack) {
    super(stack, ID);
    this.logGroup = createLogGroup(this, 'Logs', { retention: undefined, encryptionKey: undefined });
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: 'Deletes old versions of functions and layers',
      inlinePolicies: {
        WriteLogs: new PolicyDocument({
          statements: [new PolicyStatement({ actions: WRITE_LOGS, resources: [this.logGroup.logGroupArn] })],
        }),
      },
    });
    this.policy = new Policy(this, 'Policy', { roles: [this.role] });
    this.function = new LambdaFunction(this, 'Function', {
      description: 'cdk-onnx: deletes old versions',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: versionRetentionAsset().code,
      handler: 'index.handler',
      memorySize: 256,
      timeout: FUNCTION_TIMEOUT,
      role: this.role,
      logGroup: this.logGroup,
    });
    this.resource = new CustomResource(this, 'Resource', {
      serviceToken: this.function.functionArn,
      serviceTimeout: SERVICE_TIMEOUT,
      resourceType: 'Custom::CdkOnnxVersionRetention',
      properties: {
        Functions: Lazy.any({ produce: () => this.retained.map(functionProperties) }),
        LayerArns: Lazy.list({ produce: () => this.ownLayerArns() }),
      },
    });
    this.resource.node.addDependency(this.policy);
  }

  /** Has old versions of a function deleted, from the deployment on that finds it here already. */
  addFunction(retained: RetainedFunction): void {
    const { function: lambda, alias, layers } = retained;
    this.retained.push(retained);
    this.resource.node.addDependency(alias);
    this.allow(LIST_VERSIONS, lambda.functionArn);
    this.allowVersions(DELETE_FUNCTION_VERSIONS, lambda.functionArn);
    for (const { layer, layerName } of layers) {
      const arn = layerArn(this, layerName);
      if (Stack.of(layer) !== Stack.of(this) || this.layersByArn.has(arn)) continue;
      this.layersByArn.set(arn, layer);
      this.allowVersions(DELETE_LAYER_VERSIONS, arn);
    }
  }

  private allow(actions: readonly string[], resource: string): void {
    this.policy.addStatements(new PolicyStatement({ actions: [...actions], resources: [resource] }));
  }

  private allowVersions(actions: readonly string[], arn: string): void {
    this.allow(actions, `${arn}:*`);
    const reason = 'Versions have numbers that only Lambda knows; the ARN is that of one function or layer.';
    acknowledgeWildcard(this.policy, `${arn}:*`, reason);
  }

  /** Without those that other functions use too: their old versions are not known here. */
  private ownLayerArns(): string[] {
    const known = new Set(this.retained.map((retained) => retained.function.node.defaultChild));
    const others = this.node.root.node
      .findAll()
      .filter((construct) => construct instanceof CfnFunction && !known.has(construct))
      .map((construct) => JSON.stringify(Stack.of(construct).resolve((construct as CfnFunction).layers) ?? []));
    return [...this.layersByArn]
      .filter(([, layer]) => {
        // References have it in them, those from another stack too.
        const logicalId = Stack.of(layer).getLogicalId(layer.node.defaultChild as CfnResource);
        return !others.some((layers) => layers.includes(logicalId));
      })
      .map(([arn]) => arn);
  }
}

function functionProperties({ function: lambda, keepVersions }: RetainedFunction): Readonly<Record<string, unknown>> {
  return {
    FunctionName: lambda.functionName,
    // A new version is a new value, for which CloudFormation runs the function.
    Version: lambda.currentVersion.version,
    KeepVersions: keepVersions,
  };
}
