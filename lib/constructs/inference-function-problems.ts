import { type Duration, SizeRoundingBehavior, Token } from 'aws-cdk-lib/core';
import { EPHEMERAL_STORAGE_MIB, MEMORY_MIB } from '../artifact/size-plan.js';
import { logGroupProblems } from './encrypted-log-group.js';
import { environmentProblems } from './environment-problems.js';
import { deploymentProblems } from './inference-deployment-problems.js';
import type { InferenceFunctionOptions } from './inference-function-options.js';
import type { OnnxRuntimeLayer } from './onnx-runtime-layer.js';
import { checkSeconds, checkWholeNumber, type Problem } from './problems.js';
import { provisionedConcurrencyProblems } from './provisioned-concurrency.js';
import { captureProblems } from './request-capture-options.js';
import { telemetryProblems } from './telemetry.js';
import { vpcProblems } from './vpc-problems.js';

/** The upper bound is the account's quota, which only the account knows. */
export const RESERVED_CONCURRENCY = { min: 0, unit: 'requests' };
export const KEEP_VERSIONS = { min: 1, unit: 'versions' };
const TIMEOUT_SECONDS = { min: 1, max: 900, reason: 'Lambda runs a function for 15 minutes at most' };

/** What is wrong with a function's properties, as far as it shows before the model is built. */
export function functionProblems(
  props: InferenceFunctionOptions & { readonly runtimeLayer?: OnnxRuntimeLayer },
): Problem[] {
  const { memorySize, reservedConcurrentExecutions, timeout } = props;
  return [
    ...checkWholeNumber('MEMORY_SIZE_INVALID', 'memorySize', memorySize, { ...MEMORY_MIB, unit: 'MiB' }),
    ...ephemeralStorageProblems(props),
    ...timeoutProblems(timeout),
    ...checkWholeNumber(
      'RESERVED_CONCURRENCY_INVALID',
      'reservedConcurrentExecutions',
      reservedConcurrentExecutions,
      RESERVED_CONCURRENCY,
    ),
    ...provisionedConcurrencyProblems(props.provisionedConcurrency, { reservedConcurrentExecutions }),
    ...deploymentProblems(props.deployment, props),
    ...checkWholeNumber('KEEP_VERSIONS_INVALID', 'keepVersions', props.keepVersions, KEEP_VERSIONS),
    ...functionLogProblems(props),
    ...architectureProblems(props),
    ...vpcProblems(props),
    ...telemetryProblems(props),
    ...captureProblems(props.capture),
    ...driftShareProblems(props.driftShare),
    ...environmentProblems(props.environment),
  ];
}

function driftShareProblems(driftShare: number | undefined): Problem[] {
  if (driftShare === undefined || Token.isUnresolved(driftShare) || (driftShare >= 0 && driftShare <= 1)) return [];
  return [
    {
      code: 'DRIFT_SHARE_INVALID',
      message: `driftShare is ${driftShare}.`,
      advice: 'Give a number from 0, for no request, to 1.',
    },
  ];
}

/** Options of a function's own log group beside one of the user's. */
export function functionLogProblems(
  props: Pick<InferenceFunctionOptions, 'logGroup' | 'logRetention' | 'logEncryption'>,
): Problem[] {
  return logGroupProblems({ name: 'logGroup', given: props.logGroup !== undefined }, [
    {
      code: 'LOG_RETENTION_WITHOUT_EFFECT',
      name: 'logRetention',
      given: props.logRetention !== undefined,
      what: 'retention',
    },
    {
      code: 'LOG_ENCRYPTION_WITHOUT_EFFECT',
      name: 'logEncryption',
      given: props.logEncryption !== undefined,
      what: 'key',
    },
  ]);
}

function timeoutProblems(timeout: Duration | undefined): Problem[] {
  const problems = checkSeconds('TIMEOUT_INVALID', 'timeout', timeout, TIMEOUT_SECONDS);
  if (problems.length > 0 || timeout === undefined || timeout.isUnresolved()) return problems;
  const milliseconds = timeout.toMilliseconds();
  if (milliseconds % 1000 === 0) return [];
  return [
    {
      code: 'TIMEOUT_INVALID',
      message: `timeout is ${milliseconds / 1000} s.`,
      advice: 'Give whole seconds: Lambda counts no parts of them.',
    },
  ];
}

function ephemeralStorageProblems({ ephemeralStorageSize }: InferenceFunctionOptions): Problem[] {
  if (ephemeralStorageSize === undefined || ephemeralStorageSize.isUnresolved()) return [];
  return checkWholeNumber(
    'EPHEMERAL_STORAGE_INVALID',
    'ephemeralStorageSize',
    ephemeralStorageSize.toMebibytes({ rounding: SizeRoundingBehavior.NONE }),
    { ...EPHEMERAL_STORAGE_MIB, unit: 'MiB' },
  );
}

function architectureProblems(props: Parameters<typeof functionProblems>[0]): Problem[] {
  const { architecture, runtimeLayer } = props;
  if (architecture === undefined || runtimeLayer === undefined) return [];
  if (architecture.name === runtimeLayer.architecture.name) return [];
  return [
    {
      code: 'RUNTIME_LAYER_ARCHITECTURE',
      message: `The function is for ${architecture.name}, its runtimeLayer for ${runtimeLayer.architecture.name}.`,
      advice: "Give both the same architecture, or leave the function's out.",
    },
  ];
}
