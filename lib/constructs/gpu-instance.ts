/** The instances of SageMaker whose GPUs the images of Triton run on. */
import { Token } from 'aws-cdk-lib/core';
import type { Problem } from './problems.js';

export const DEFAULT_GPU_INSTANCE = 'ml.g5.xlarge';

/**
 * Compute capability 7.5 and newer, which is what Triton asks for since 25.03:
 * https://docs.nvidia.com/deeplearning/triton-inference-server/release-notes/rel-25-03.html. All of them have local NVMe storage, which a module
 * on the instance encrypts; for such SageMaker takes no key of one's own:
 * https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
 */
const SIZES: Readonly<Record<string, readonly string[]>> = {
  g4dn: ['xlarge', '2xlarge', '4xlarge', '8xlarge', '12xlarge', '16xlarge'],
  g5: ['xlarge', '2xlarge', '4xlarge', '8xlarge', '12xlarge', '16xlarge', '24xlarge', '48xlarge'],
  g6: ['xlarge', '2xlarge', '4xlarge', '8xlarge', '12xlarge', '16xlarge', '24xlarge', '48xlarge'],
  g6e: ['xlarge', '2xlarge', '4xlarge', '8xlarge', '12xlarge', '16xlarge', '24xlarge', '48xlarge'],
  p4d: ['24xlarge'],
  p4de: ['24xlarge'],
  p5: ['4xlarge', '48xlarge'],
  p5e: ['48xlarge'],
  p5en: ['48xlarge'],
};

export const GPU_INSTANCES: readonly string[] = Object.entries(SIZES).flatMap(([family, sizes]) =>
  sizes.map((size) => `ml.${family}.${size}`),
);

/**
 * Driver 580 with CUDA 13.0: newer than what any release of Triton here was built for, so that none depends on CUDA's compatibility package, which
 * SageMaker's hosts do not mount. The default hosts of g4dn and g5 have driver 470, on which Triton 25.04 does not start:
 * https://github.com/aws/deep-learning-containers/issues/4990. Versions:
 * https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariant.html
 */
export const DEFAULT_AMI_VERSION = 'al2023-ami-sagemaker-inference-gpu-4-1';

export function instanceProblems(name: string, instanceType: string | undefined): Problem[] {
  if (instanceType === undefined || Token.isUnresolved(instanceType) || GPU_INSTANCES.includes(instanceType)) return [];
  const family = /^(?:ml\.)?(?<family>[a-z0-9]+)\./.exec(instanceType)?.groups?.family ?? '';
  const sizes = SIZES[family];
  return [
    {
      code: 'GPU_INSTANCE_TYPE',
      message: `${name} is '${instanceType}'.`,
      advice:
        sizes === undefined
          ? `Give an instance of SageMaker with a GPU that Triton runs on: ${Object.keys(SIZES)
              .map((known) => `ml.${known}`)
              .join(', ')}.`
          : `Of ml.${family} there is: ${sizes.join(', ')}.`,
    },
  ];
}
