/** Variants of an endpoint as its configuration has them. */
import type { CfnEndpointConfig, CfnModel } from 'aws-cdk-lib/aws-sagemaker';
import { Duration } from 'aws-cdk-lib/core';
import type {
  GpuDataCapture,
  GpuEndpointOptions,
  GpuScaling,
  RealTimeGpuEndpointProps,
} from './gpu-endpoint-options.js';
import { DEFAULT_SHADOW, PRIMARY_VARIANT } from './gpu-endpoint-problems.js';
import type { GpuEndpointRoleOptions } from './gpu-endpoint-role.js';
import { instanceBounds } from './gpu-endpoint-scaling.js';
import { DEFAULT_AMI_VERSION, DEFAULT_GPU_INSTANCE } from './gpu-instance.js';
import type { Model } from './model.js';

const DEFAULT_CAPTURE_PREFIX = 'captured/';
const STARTUP = Duration.minutes(10);
/** TensorRT tries out kernels for each layer. */
const TENSOR_RT_STARTUP = Duration.minutes(30);

export interface ServedVariant {
  readonly name: string;
  readonly model: Model;
  readonly weight: number;
  /** At its start. */
  readonly instances: number;
  readonly instanceType: string | undefined;
  readonly scaling?: GpuScaling | undefined;
}

export function variantsOf(props: RealTimeGpuEndpointProps): ServedVariant[] {
  const { model, weight = 1, instanceType, scaling, variants = [] } = props;
  return [
    { name: PRIMARY_VARIANT, model, weight, instances: instanceBounds(scaling).min, instanceType, scaling },
    ...variants.map((variant) => {
      const own = variant.scaling ?? scaling;
      return {
        name: variant.name,
        model: variant.model,
        weight: variant.weight ?? 1,
        instances: instanceBounds(own).min,
        instanceType: variant.instanceType ?? instanceType,
        scaling: own,
      };
    }),
  ];
}

/** Its weight beside the one production variant's is the share of requests that it gets copies of. */
export function shadowOf({ shadow, weight = 1, instanceType }: RealTimeGpuEndpointProps): ServedVariant | undefined {
  if (shadow === undefined) return undefined;
  return {
    name: shadow.name ?? DEFAULT_SHADOW,
    model: shadow.model,
    weight: (shadow.share ?? 1) * weight,
    instances: shadow.instances ?? 1,
    instanceType: shadow.instanceType ?? instanceType,
  };
}

export function variantProperty(
  variant: ServedVariant,
  model: CfnModel,
  options: GpuEndpointOptions & { readonly tensorRt: boolean },
): CfnEndpointConfig.ProductionVariantProperty {
  const { inferenceAmiVersion = DEFAULT_AMI_VERSION, tensorRt } = options;
  const { startupTimeout = tensorRt ? TENSOR_RT_STARTUP : STARTUP } = options;
  return {
    variantName: variant.name,
    modelName: model.attrModelName,
    instanceType: variant.instanceType ?? DEFAULT_GPU_INSTANCE,
    initialInstanceCount: variant.instances,
    initialVariantWeight: variant.weight,
    inferenceAmiVersion,
    containerStartupHealthCheckTimeoutInSeconds: startupTimeout.toSeconds(),
    // To the instance with the fewest requests at work: random choice makes some wait while others are idle.
    routingConfig: { routingStrategy: 'LEAST_OUTSTANDING_REQUESTS' },
  };
}

export function capturedTo(capture: GpuDataCapture | undefined): GpuEndpointRoleOptions['capture'] {
  if (capture === undefined) return undefined;
  const { bucket, prefix = DEFAULT_CAPTURE_PREFIX, encryption } = capture;
  return { bucket, prefix, key: encryption ?? bucket.encryptionKey };
}

export function captureConfig(capture: GpuDataCapture): CfnEndpointConfig.DataCaptureConfigProperty {
  const { bucket, prefix = DEFAULT_CAPTURE_PREFIX, share, encryption } = capture;
  return {
    enableCapture: true,
    // SageMaker counts whole per cent.
    initialSamplingPercentage: Math.ceil(100 * share),
    destinationS3Uri: bucket.s3UrlForObject(prefix.replace(/\/$/, '')),
    captureOptions: [{ captureMode: 'Input' }, { captureMode: 'Output' }],
    // The rest, Triton's binary bodies, is captured in base64.
    captureContentTypeHeader: { jsonContentTypes: ['application/json'] },
    ...(encryption === undefined ? {} : { kmsKeyId: encryption.keyArn }),
  };
}
