import { type Stack, Token } from 'aws-cdk-lib/core';
import {
  beyondTriton,
  NEWEST_TRITON,
  TRITON_RELEASES,
  type TritonArchive,
  type TritonRelease,
} from '../artifact/triton.js';
import type {
  AsynchronousGpuEndpointProps,
  GpuEndpointOptions,
  GpuScaling,
  RealTimeGpuEndpointProps,
} from './gpu-endpoint-options.js';
import { instanceProblems } from './gpu-instance.js';
import { checkSeconds, checkWholeNumber, type Problem } from './problems.js';
import { imageProblems } from './triton-image.js';
import { vpcProblems } from './vpc-problems.js';

export const PRIMARY_VARIANT = 'primary';
export const DEFAULT_SHADOW = 'shadow';
/** The container is told its model by it. */
export const MODEL_NAME_VARIABLE = 'SAGEMAKER_TRITON_DEFAULT_MODEL_NAME';

/** https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariant.html, API_ContainerDefinition.html */
const VARIANT_NAME = /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/;
const VARIABLE_NAME = /^[a-zA-Z_][a-zA-Z0-9_]{0,1023}$/;
const MAX_VARIABLES = 100;
const MAX_VARIANTS = 10;
const AMI_VERSION = /^al\d+-ami-sagemaker-inference-gpu-[\d-]+$/;
const STARTUP_SECONDS = { min: 60, max: 3600, reason: 'SageMaker waits for a container no longer' };
const COOLDOWN_SECONDS = { min: 0, max: 86_400, reason: 'a day is enough' };
/** What S3 takes of a rule that expires objects. */
const EXPIRY_SECONDS = { min: 86_400, max: 3650 * 86_400, reason: 'S3 deletes by whole days' };
const PREFIX = /^[A-Za-z0-9!_.*'()/-]+\/$/;

/** What is wrong with the properties of an endpoint that answers at once, as far as it shows before a model is built. */
export function realTimeProblems(stack: Stack, props: RealTimeGpuEndpointProps): Problem[] {
  const { variants = [], shadow, dataCapture, weight } = props;
  return [
    ...endpointProblems(stack, props),
    ...scalingProblems('scaling', props.scaling),
    ...weightProblems([weight, ...variants.map((variant) => variant.weight)]),
    ...variantNameProblems(props),
    ...(variants.length > 0 && shadow !== undefined
      ? [
          problem(
            'SHADOW_BESIDE_VARIANTS',
            'variants and shadow are both given.',
            'SageMaker copies the requests of exactly one variant: leave one of the two out.',
          ),
        ]
      : []),
    ...(variants.length >= MAX_VARIANTS
      ? [
          {
            code: 'TOO_MANY_VARIANTS',
            message: `${variants.length} variants are given.`,
            advice: `An endpoint has ${MAX_VARIANTS} at most, its own among them.`,
          },
        ]
      : []),
    ...variants.flatMap(({ name, instanceType, scaling }) => [
      ...instanceProblems(`instanceType of the variant '${name}'`, instanceType),
      ...scalingProblems(`scaling of the variant '${name}'`, scaling),
    ]),
    ...(shadow === undefined
      ? []
      : [
          ...instanceProblems('shadow.instanceType', shadow.instanceType),
          ...checkWholeNumber('GPU_INSTANCES_INVALID', 'shadow.instances', shadow.instances, {
            min: 1,
            unit: 'instances',
          }),
          ...shareProblems('shadow.share', shadow.share),
          // Its weight is its share of the other's.
          ...(shadow.share === undefined ? [] : tokenProblems('weight', weight)),
        ]),
    ...(dataCapture === undefined
      ? []
      : [...shareProblems('dataCapture.share', dataCapture.share), ...prefixProblems(dataCapture.prefix)]),
  ];
}

/** The same of an endpoint with a queue. */
export function asynchronousProblems(stack: Stack, props: AsynchronousGpuEndpointProps): Problem[] {
  const { scaling = {}, bucket, expiry, encryption } = props;
  const { minInstances, maxInstances } = scaling;
  return [
    ...endpointProblems(stack, props),
    ...checkWholeNumber('GPU_INSTANCES_INVALID', 'scaling.minInstances', minInstances, { min: 0, unit: 'instances' }),
    ...checkWholeNumber('GPU_INSTANCES_INVALID', 'scaling.maxInstances', maxInstances, { min: 1, unit: 'instances' }),
    ...orderProblems('scaling', minInstances ?? 0, maxInstances ?? Math.max(1, minInstances ?? 0)),
    ...targetProblems('scaling.backlogPerInstance', scaling.backlogPerInstance),
    ...cooldownProblems('scaling', scaling),
    ...checkWholeNumber(
      'CONCURRENCY_INVALID',
      'maxConcurrentInvocationsPerInstance',
      props.maxConcurrentInvocationsPerInstance,
      { min: 1, max: 1000, unit: 'requests' },
    ),
    ...(bucket !== undefined && expiry !== undefined
      ? [
          problem(
            'EXPIRY_WITHOUT_EFFECT',
            'expiry is given together with bucket.',
            'Give bucket a lifecycle rule instead.',
          ),
        ]
      : []),
    ...expiryProblems(expiry),
    ...(encryption !== undefined && bucket?.encryptionKey !== undefined && bucket.encryptionKey !== encryption
      ? [problem('ENCRYPTION_TWICE', 'encryption is given, and bucket has another key.', 'Leave encryption out.')]
      : []),
  ];
}

/** What Triton's onnxruntime would not load; nothing is known of a model that was not built. */
export function archiveProblems(archive: TritonArchive | undefined, release: TritonRelease = NEWEST_TRITON): Problem[] {
  const beyond = archive === undefined ? [] : beyondTriton(archive, release);
  if (archive === undefined || beyond.length === 0) return [];
  return [
    {
      code: 'GPU_OPSET',
      message: `Triton ${release}, whose onnxruntime is ${TRITON_RELEASES[release].onnxruntime}, cannot load '${archive.name}': ${beyond.join('; ')}.`,
      advice: 'Export the model with an older opset, or choose a newer tritonRelease.',
    },
  ];
}

function endpointProblems(stack: Stack, props: GpuEndpointOptions): Problem[] {
  const { tritonRelease = NEWEST_TRITON, inferenceAmiVersion } = props;
  const known = Object.hasOwn(TRITON_RELEASES, tritonRelease);
  return [
    ...instanceProblems('instanceType', props.instanceType),
    ...(known
      ? imageProblems(stack, props, tritonRelease)
      : [
          {
            code: 'TRITON_RELEASE_UNKNOWN',
            message: `tritonRelease is '${tritonRelease}'.`,
            advice: `Give one of ${Object.keys(TRITON_RELEASES).join(', ')}.`,
          },
        ]),
    ...(inferenceAmiVersion === undefined ||
    Token.isUnresolved(inferenceAmiVersion) ||
    AMI_VERSION.test(inferenceAmiVersion)
      ? []
      : [
          {
            code: 'AMI_VERSION_INVALID',
            message: `inferenceAmiVersion is '${inferenceAmiVersion}'.`,
            advice: 'Give one for GPUs, such as al2023-ami-sagemaker-inference-gpu-4-1.',
          },
        ]),
    ...checkSeconds('STARTUP_TIMEOUT_INVALID', 'startupTimeout', props.startupTimeout, STARTUP_SECONDS),
    ...environmentProblems(props.environment ?? {}),
    ...vpcProblems(props, 'endpoint'),
  ];
}

const problem = (code: string, message: string, advice: string): Problem => ({ code, message, advice });

function environmentProblems(environment: Readonly<Record<string, string>>): Problem[] {
  const names = Object.keys(environment);
  return [
    ...names
      .filter((name) => !VARIABLE_NAME.test(name))
      .map((name) =>
        problem(
          'ENVIRONMENT_VARIABLE_NAME',
          `environment sets '${name}'.`,
          'Use letters, digits and _, no digit first.',
        ),
      ),
    ...names
      .filter((name) => name === MODEL_NAME_VARIABLE || name === 'SAGEMAKER_MULTI_MODEL')
      .map((name) =>
        problem(
          'ENVIRONMENT_VARIABLE_TAKEN',
          `environment sets ${name}, which the endpoint depends on.`,
          'Leave it out.',
        ),
      ),
    ...(names.length > MAX_VARIABLES - 2
      ? [
          problem(
            'ENVIRONMENT_TOO_LARGE',
            `environment has ${names.length} variables.`,
            `SageMaker takes ${MAX_VARIABLES}, two of which are taken.`,
          ),
        ]
      : []),
  ];
}

function scalingProblems(name: string, scaling: GpuScaling = {}): Problem[] {
  const { minInstances, maxInstances, metric } = scaling;
  return [
    ...checkWholeNumber('GPU_INSTANCES_INVALID', `${name}.minInstances`, minInstances, { min: 1, unit: 'instances' }),
    ...checkWholeNumber('GPU_INSTANCES_INVALID', `${name}.maxInstances`, maxInstances, { min: 1, unit: 'instances' }),
    ...(maxInstances === undefined ? [] : orderProblems(name, minInstances ?? 1, maxInstances)),
    ...(metric === undefined || metric === 'concurrency' || metric === 'invocations'
      ? []
      : [
          {
            code: 'SCALING_METRIC_UNKNOWN',
            message: `${name}.metric is '${String(metric)}'.`,
            advice: "Give 'concurrency' or 'invocations'.",
          },
        ]),
    ...targetProblems(`${name}.target`, scaling.target),
    ...cooldownProblems(name, scaling),
  ];
}

function orderProblems(name: string, min: number, max: number): Problem[] {
  if (Token.isUnresolved(min) || Token.isUnresolved(max) || min <= max) return [];
  return [
    {
      code: 'GPU_INSTANCES_INVALID',
      message: `${name}: at least ${min} and at most ${max} instances.`,
      advice: 'Give no more for minInstances than for maxInstances.',
    },
  ];
}

function targetProblems(name: string, target: number | undefined): Problem[] {
  if (target === undefined || Token.isUnresolved(target) || (Number.isFinite(target) && target > 0)) return [];
  return [{ code: 'SCALING_TARGET_INVALID', message: `${name} is ${target}.`, advice: 'Give a number above 0.' }];
}

function cooldownProblems(
  name: string,
  { scaleInCooldown, scaleOutCooldown }: Pick<GpuScaling, 'scaleInCooldown' | 'scaleOutCooldown'>,
): Problem[] {
  return [
    ...checkSeconds('COOLDOWN_INVALID', `${name}.scaleInCooldown`, scaleInCooldown, COOLDOWN_SECONDS),
    ...checkSeconds('COOLDOWN_INVALID', `${name}.scaleOutCooldown`, scaleOutCooldown, COOLDOWN_SECONDS),
  ];
}

function weightProblems(weights: readonly (number | undefined)[]): Problem[] {
  const given = weights.map((weight) => weight ?? 1);
  if (given.some((weight) => Token.isUnresolved(weight))) return [];
  const invalid = given.filter((weight) => !(Number.isFinite(weight) && weight >= 0));
  if (invalid.length > 0) {
    return [{ code: 'WEIGHT_INVALID', message: `A weight is ${invalid.join(', ')}.`, advice: 'Give 0 or more.' }];
  }
  if (given.some((weight) => weight > 0)) return [];
  return [{ code: 'WEIGHT_INVALID', message: 'Every weight is 0.', advice: 'Give one variant a weight above 0.' }];
}

function variantNameProblems({ variants = [], shadow }: RealTimeGpuEndpointProps): Problem[] {
  const others = variants.map(({ name }) => name);
  if (shadow !== undefined) others.push(shadow.name ?? DEFAULT_SHADOW);
  const seen = new Set([PRIMARY_VARIANT]);
  return others.flatMap((name) => {
    const advice = `Use up to 63 letters, digits and hyphens, each name once, and not ${PRIMARY_VARIANT}.`;
    const isTaken = seen.has(name);
    seen.add(name);
    if (!VARIANT_NAME.test(name)) return [{ code: 'VARIANT_NAME', message: `A variant is called '${name}'.`, advice }];
    return isTaken ? [{ code: 'VARIANT_NAME', message: `Two variants are called '${name}'.`, advice }] : [];
  });
}

/** Of what is calculated with. */
function tokenProblems(name: string, value: number | undefined): Problem[] {
  if (value === undefined || !Token.isUnresolved(value)) return [];
  return [
    { code: 'SHARE_INVALID', message: `${name} is known to the deployment alone.`, advice: 'Give a number at synth.' },
  ];
}

function shareProblems(name: string, share: number | undefined): Problem[] {
  if (share === undefined || Token.isUnresolved(share)) return tokenProblems(name, share);
  if (share > 0 && share <= 1) return [];
  return [{ code: 'SHARE_INVALID', message: `${name} is ${share}.`, advice: 'Give a share above 0 and up to 1.' }];
}

function prefixProblems(prefix: string | undefined): Problem[] {
  if (prefix === undefined || Token.isUnresolved(prefix) || (PREFIX.test(prefix) && !prefix.startsWith('/'))) return [];
  return [
    {
      code: 'PREFIX_INVALID',
      message: `dataCapture.prefix is '${prefix}'.`,
      advice: 'Give letters, digits and !-_.*() that end with a slash and begin with none.',
    },
  ];
}

function expiryProblems(expiry: AsynchronousGpuEndpointProps['expiry']): Problem[] {
  const problems = checkSeconds('EXPIRY_INVALID', 'expiry', expiry, EXPIRY_SECONDS);
  if (problems.length > 0 || expiry === undefined || expiry.isUnresolved()) return problems;
  if (expiry.toMilliseconds() % 86_400_000 === 0) return [];
  return [problem('EXPIRY_INVALID', `expiry is ${expiry.toHours()} h.`, 'Give whole days, as S3 counts them.')];
}
