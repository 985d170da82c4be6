/** What the way a model travels asks of its function. */
import type { IVpc } from 'aws-cdk-lib/aws-ec2';
import { Annotations, type Duration, Size, Token } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { formatBytes, type S3Plan, type SizePlan, UNZIPPED_LIMIT_BYTES } from '../artifact/size-plan.js';
import { WEIGHTS_VARIABLE } from './function-variables.js';
import type { InferenceFunctionOptions } from './inference-function-options.js';
import type { ModelLayer } from './model-layer.js';
import type { ModelWeights } from './model-weights.js';
import type { Problem } from './problems.js';

/** The memory size that has exactly one vCPU, in MiB. */
const ONE_VCPU_MIB = 1769;
/** What a download from S3 surely reaches; AWS promises no figure. */
const BYTES_PER_SECOND = 50e6;
/** The part of a download that the init phase takes over. */
const INIT_SECONDS = 8;

/** What of a model's layer decides. */
type Delivered = Pick<ModelLayer, 'sizePlan' | 'weights'>;

export interface ModelDelivery {
  /** MiB */
  readonly memorySize: number;
  /** Undefined leaves Lambda's 512 MiB. */
  readonly ephemeralStorageSize: Size | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** Memory, /tmp and variables of a function: what its options say, else what its model takes. */
export function modelDelivery(layer: Delivered, options: InferenceFunctionOptions): ModelDelivery {
  const { sizePlan, weights } = layer;
  const needs = sizePlan?.kind === 's3' ? sizePlan : undefined;
  return {
    memorySize: options.memorySize ?? Math.max(ONE_VCPU_MIB, needs?.minMemoryMiB ?? 0),
    ephemeralStorageSize:
      options.ephemeralStorageSize ?? (needs === undefined ? undefined : Size.mebibytes(needs.ephemeralStorageMiB)),
    environment: weights === undefined ? {} : { [WEIGHTS_VARIABLE]: weights.uri },
  };
}

/** Why a function with these options cannot have the model; none where its size is not known yet. */
export function deliveryProblems(modelName: string, layer: Delivered, options: InferenceFunctionOptions): Problem[] {
  const { sizePlan, weights } = layer;
  if (sizePlan?.kind === 'too-large') {
    return [
      {
        code: 'MODEL_TOO_LARGE',
        message: `The model ${modelName} does not fit into a Lambda function: ${sizePlan.reason}`,
        advice: `What fits is at most ${formatBytes(sizePlan.maxModelBytes)}: use a smaller model.`,
      },
    ];
  }
  if (sizePlan?.kind !== 's3' || weights === undefined) return [];
  return [
    ...layerProblems(modelName, sizePlan, weights),
    ...memoryProblems(modelName, sizePlan, options),
    ...storageProblems(modelName, sizePlan, options),
  ];
}

function layerProblems(modelName: string, plan: S3Plan, { file }: ModelWeights): Problem[] {
  const rest = plan.totalBytes - file.bytes;
  if (rest <= UNZIPPED_LIMIT_BYTES) return [];
  return [
    {
      code: 'MODEL_IN_SEVERAL_FILES',
      message: `The model ${modelName} without its largest file, ${file.path}, leaves ${formatBytes(rest)} of layers and code, and Lambda unzips ${formatBytes(UNZIPPED_LIMIT_BYTES)} at most.`,
      advice: 'One file travels by S3: build the artifact with `cdk-onnx build`, which puts all weights into one.',
    },
  ];
}

function memoryProblems(
  modelName: string,
  { minMemoryMiB }: S3Plan,
  { memorySize }: InferenceFunctionOptions,
): Problem[] {
  if (memorySize === undefined || Token.isUnresolved(memorySize) || memorySize >= minMemoryMiB) return [];
  return [
    {
      code: 'MEMORY_SIZE_BELOW_MODEL',
      message: `memorySize is ${memorySize} MiB, and the model ${modelName} takes at least ${minMemoryMiB} MiB.`,
      advice: `Give ${minMemoryMiB} or more, or leave memorySize out.`,
    },
  ];
}

function storageProblems(
  modelName: string,
  { ephemeralStorageMiB }: S3Plan,
  { ephemeralStorageSize }: InferenceFunctionOptions,
): Problem[] {
  if (ephemeralStorageSize === undefined || ephemeralStorageSize.isUnresolved()) return [];
  const given = ephemeralStorageSize.toMebibytes();
  if (given >= ephemeralStorageMiB) return [];
  return [
    {
      code: 'EPHEMERAL_STORAGE_BELOW_MODEL',
      message: `ephemeralStorageSize is ${given} MiB, and the model ${modelName} takes ${ephemeralStorageMiB} MiB of /tmp.`,
      advice: `Give ${ephemeralStorageMiB} MiB or more, or leave ephemeralStorageSize out.`,
    },
  ];
}

/** Tells in the synth's output how the model travels, and what that asks of timeout and network. */
export function announceDelivery(
  scope: Construct,
  plan: SizePlan | undefined,
  options: InferenceFunctionOptions & { readonly timeout: Duration },
): void {
  if (plan === undefined) return;
  const annotations = Annotations.of(scope);
  annotations.addInfoV2('cdk-onnx:size-plan', plan.reason);
  if (plan.kind !== 's3') return;
  const seconds = Math.ceil(plan.modelBytes / BYTES_PER_SECOND);
  if (!options.timeout.isUnresolved() && seconds > INIT_SECONDS + options.timeout.toSeconds()) {
    annotations.addWarningV2(
      'cdk-onnx:weights-timeout',
      `A cold start loads ${formatBytes(plan.modelBytes)} from S3, which may take ${seconds} s, and the function's timeout is ` +
        `${options.timeout.toSeconds()} s: give it ${seconds} s or more. Requests that come before the model is there get a 503.`,
    );
  }
  announceNetwork(annotations, options);
}

function announceNetwork(annotations: Annotations, { vpc, vpcSubnets }: InferenceFunctionOptions): void {
  if (vpc === undefined) return;
  const advice =
    "The function reads its weights from S3: its subnets need a gateway endpoint for S3 (vpc.addGatewayEndpoint('S3', " +
    '{ service: GatewayVpcEndpointAwsService.S3 }), free of charge) whose policy allows the bucket of the CDK, and its security ' +
    'group has to let it out on port 443.';
  if (isIsolated(vpc, vpcSubnets))
    annotations.addWarningV2('cdk-onnx:weights-network', `${advice} Its subnets have no other way out.`);
  else
    annotations.addInfoV2('cdk-onnx:weights-network', `${advice} A NAT gateway does too, and charges for each byte.`);
}

function isIsolated(vpc: IVpc, selection: InferenceFunctionOptions['vpcSubnets']): boolean {
  const isolated = new Set(vpc.isolatedSubnets.map((subnet) => subnet.subnetId));
  return vpc.selectSubnets(selection).subnetIds.some((id) => isolated.has(id));
}
