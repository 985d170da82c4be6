import { Policy, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  Architecture,
  Code,
  type Function as Lambda,
  Function as LambdaFunction,
  LayerVersion,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import type { ILogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Duration, IgnoreMode, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import {
  LIVE_ALIAS_VARIABLE,
  NEW_VERSION_VARIABLE,
  RECORDINGS_VARIABLE,
  REPLAY_VARIABLE,
  type ReplaySettings,
} from '../artifact/replay.js';
import { createLogGroup } from './encrypted-log-group.js';
import { type InferenceReplay, ReplayRequests } from './inference-deployment-options.js';
import {
  DECRYPT_OBJECT,
  INVOKE_FUNCTION,
  LIST_OBJECTS,
  READ_OBJECT,
  REPORT_HOOK_STATUS,
  WRITE_LOGS,
} from './permissions.js';
import { preTrafficAsset } from './prepared-asset.js';
import { acknowledgeWildcard } from './wildcard-finding.js';

const MEMORY_MIB = 1024;
const DEFAULT_TIMEOUT = Duration.minutes(5);
const DEFAULT_TOLERANCE = { absolute: 1e-3, relative: 1e-2 };
const DEFAULT_REQUESTS = 100;
/** A first invocation waits for an environment too. */
const START_MS = 30_000;

/** What the hook is about. */
export interface PreTrafficHookProps {
  /** The function that gets a new version. */
  readonly function: Lambda;
  /** As a qualifier. */
  readonly aliasName: string;
  /** Of an invocation. */
  readonly timeout: Duration;
  /** In its routes. */
  readonly modelName: string;
  /** What is sent, and what is expected. */
  readonly replay: InferenceReplay;
  /** Of the hook's log group. */
  readonly logRetention: RetentionDays | undefined;
  /** Of the hook's log group. */
  readonly logEncryption: IKey | undefined;
}

/**
 * The function that CodeDeploy invokes before a new version gets traffic. It sends requests to that version and to the one with the traffic,
 * compares the answers, and tells CodeDeploy to go on or to fail.
 */
export class PreTrafficHook extends Construct {
  /** What replays. */
  readonly function: LambdaFunction;
  /** What it may do is `policy`, and to write its log. */
  readonly role: Role;
  /** To invoke versions of the one function, to read recorded requests, and to tell CodeDeploy. */
  readonly policy: Policy;
  /** Which answers differed, and by how much. */
  readonly logGroup: ILogGroup;

  constructor(scope: Construct, id: string, props: PreTrafficHookProps) {
    super(scope, id);
    const { function: lambda, replay } = props;
    this.logGroup = createLogGroup(this, 'Logs', { retention: props.logRetention, encryptionKey: props.logEncryption });
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `Replays requests to new versions of the model ${props.modelName}`,
      inlinePolicies: {
        WriteLogs: new PolicyDocument({
          statements: [new PolicyStatement({ actions: WRITE_LOGS, resources: [this.logGroup.logGroupArn] })],
        }),
      },
    });
    this.policy = new Policy(this, 'Policy', { roles: [this.role] });
    const requests = replay.requests ?? ReplayRequests.generated();
    this.function = new LambdaFunction(this, 'Function', {
      description: `cdk-onnx: replays requests to new versions of the model ${props.modelName}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: preTrafficAsset().code,
      handler: 'index.handler',
      layers: this.recordings(requests),
      memorySize: MEMORY_MIB,
      timeout: replay.timeout ?? DEFAULT_TIMEOUT,
      environment: {
        [NEW_VERSION_VARIABLE]: lambda.currentVersion.functionArn,
        // Not the alias' own reference: it comes after its hook.
        [LIVE_ALIAS_VARIABLE]: `${lambda.functionArn}:${props.aliasName}`,
        [REPLAY_VARIABLE]: Stack.of(this).toJsonString(settingsOf(props, requests)),
        ...(requests._source.kind === 'folder' ? { [RECORDINGS_VARIABLE]: '/opt' } : {}),
      },
      // CDK would let it report in a policy that the function waits for, and with that for the deployment group, which waits for the function.
      role: this.role.withoutPolicyUpdates(),
      logGroup: this.logGroup,
    });
    this.allow(INVOKE_FUNCTION, `${lambda.functionArn}:*`);
    const reason =
      'Versions have numbers that only Lambda knows, and a policy that names the newest would be too new to count.';
    acknowledgeWildcard(this.policy, `${lambda.functionArn}:*`, reason);
    this.allowCaptures(requests, props.modelName);
  }

  /** Lets it say what came of a deployment. */
  allowReport(deploymentGroupArn: string): void {
    this.allow(REPORT_HOOK_STATUS, deploymentGroupArn);
  }

  private recordings({ _source: source }: ReplayRequests): LayerVersion[] {
    if (source.kind !== 'folder') return [];
    const code = Code.fromAsset(source.path, { exclude: ['*', '!*/', '!*.jsonl'], ignoreMode: IgnoreMode.GIT });
    return [new LayerVersion(this, 'Recordings', { code, description: 'Recorded requests' })];
  }

  private allowCaptures({ _source: source }: ReplayRequests, modelName: string): void {
    if (source.kind !== 'bucket') return;
    const { bucket, prefix } = source;
    const objects = bucket.arnForObjects(`${prefix}${modelName}/*`);
    this.policy.addStatements(
      new PolicyStatement({
        actions: LIST_OBJECTS,
        resources: [bucket.bucketArn],
        conditions: { StringLike: { 's3:prefix': `${prefix}${modelName}/*` } },
      }),
    );
    this.allow(READ_OBJECT, objects);
    acknowledgeWildcard(this.policy, objects, 'Captured requests have names that only the function knows.');
    if (bucket.encryptionKey !== undefined) this.allow(DECRYPT_OBJECT, bucket.encryptionKey.keyArn);
  }

  private allow(actions: readonly string[], resource: string): void {
    this.policy.addStatements(new PolicyStatement({ actions: [...actions], resources: [resource] }));
  }
}

function settingsOf({ modelName, timeout, replay }: PreTrafficHookProps, { _source }: ReplayRequests): ReplaySettings {
  const { predictions = 'unchanged', tolerance, maxRequests, maxDifferentShare } = replay;
  return {
    model: modelName,
    source:
      _source.kind === 'bucket'
        ? { kind: 'bucket', bucket: _source.bucket.bucketName, prefix: _source.prefix }
        : { kind: _source.kind === 'folder' ? 'layer' : 'generated' },
    compare: predictions === 'unchanged' ? 'values' : 'form',
    tolerance: { ...DEFAULT_TOLERANCE, ...tolerance },
    maxRequests: maxRequests ?? DEFAULT_REQUESTS,
    maxDifferentShare: maxDifferentShare ?? 0,
    invocationTimeout: timeout.toMilliseconds() + START_MS,
  };
}
