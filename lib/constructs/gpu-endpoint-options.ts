import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { IRepository } from 'aws-cdk-lib/aws-ecr';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Duration } from 'aws-cdk-lib/core';
import type { TritonRelease } from '../artifact/triton.js';
import type { Model } from './model.js';

/** What both kinds of endpoints on a GPU can be given. */
export interface GpuEndpointOptions {
  /** The model that it serves: one with a `gpu` section in its model.json. */
  readonly model: Model;
  /**
   * An instance of SageMaker with a GPU: ml.g4dn, g5, g6, g6e, p4d, p4de, p5, p5e, p5en. Each is paid by the second while it runs.
   * SageMaker refuses another one as long as the number of instances is scaled: deploy with `scaling` that fixes it first.
   * https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html
   * @default 'ml.g5.xlarge'
   */
  readonly instanceType?: string;
  /**
   * The release of Triton. A model with a newer opset or IR version than its onnxruntime loads is refused.
   * @default '25.09'
   */
  readonly tritonRelease?: TritonRelease;
  /**
   * The address of an image in ECR with that release of Triton and its scripts for SageMaker.
   * @default - AWS's own in the region of the stack
   */
  readonly image?: string;
  /**
   * The repository of `image`, where its address is known to the deployment alone, as that of a `DockerImageAsset`.
   * @default - what the address says
   */
  readonly imageRepository?: IRepository;
  /**
   * The version of the hosts' image, which brings the driver of the GPU.
   * @default 'al2023-ami-sagemaker-inference-gpu-4-1' - driver 580, CUDA 13.0
   */
  readonly inferenceAmiVersion?: string;
  /**
   * Whether Triton can reach no network at all. SageMaker itself fetches the model and carries requests either way.
   * @default true
   */
  readonly networkIsolation?: boolean;
  /**
   * Variables of Triton's container, such as SAGEMAKER_TRITON_LOG_INFO:
   * https://github.com/triton-inference-server/server/blob/main/docker/sagemaker/serve
   * @default - the model's name, and no verbose log
   */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * How long a new instance may take from the start of Triton to its first answer, warm-up requests included: 1 to 60 minutes.
   * @default - 10 minutes; 30 where TensorRT compiles the model
   */
  readonly startupTimeout?: Duration;
  /**
   * The KMS key of the bucket for the CDK's assets, where it was bootstrapped with one of yours. The role may then decrypt with it,
   * through S3 only.
   * @default - none: the bucket's key is S3's or AWS's own, which asks for no permission
   */
  readonly assetBucketKey?: IKey;
  /**
   * The network that the instances are attached to. Callers reach the endpoint through SageMaker's API either way. The model comes through it,
   * and so go results and captured data: it needs a way to S3, such as a gateway endpoint.
   * @default - none
   */
  readonly vpc?: IVpc;
  /**
   * Subnets of `vpc`, 1 to 16, none of them public.
   * @default - the private subnets with a way out; without those, the isolated ones
   */
  readonly vpcSubnets?: SubnetSelection;
  /**
   * 1 to 5, instead of a security group of its own.
   * @default - one of its own, without ingress; see `connections`
   */
  readonly securityGroups?: readonly ISecurityGroup[];
  /**
   * Whether the endpoint's own security group lets everything out; otherwise add to `connections` what it may reach.
   * @default true
   */
  readonly allowAllOutbound?: boolean;
  /**
   * How long the endpoint's log group keeps its lines.
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays;
  /**
   * The KMS key of the endpoint's log group. A key of this app is told that CloudWatch Logs may use it for that group; the policy of an
   * imported key has to say so already.
   * @default - a key that AWS owns
   */
  readonly logEncryption?: IKey;
}

/** How many instances a variant has. */
export interface GpuScaling {
  /**
   * The fewest, 1 or more.
   * @default 1
   */
  readonly minInstances?: number;
  /**
   * The most. As many as `minInstances`: the number never changes.
   * @default - twice `minInstances`
   */
  readonly maxInstances?: number;
  /**
   * What instances are added and removed by: requests per minute and instance, or requests at work at once on an instance, which reacts within
   * seconds.
   * @default 'concurrency'
   */
  readonly metric?: 'concurrency' | 'invocations';
  /**
   * The value of the metric that an instance is meant to have.
   * @default - 4 requests at once, or 600 a minute
   */
  readonly target?: number;
  /**
   * How long after a change no instance is removed.
   * @default - 10 minutes
   */
  readonly scaleInCooldown?: Duration;
  /**
   * How long after a change no instance is added.
   * @default - 5 minutes, which a new instance takes about
   */
  readonly scaleOutCooldown?: Duration;
}

/** A further model behind the same endpoint. */
export interface GpuVariant {
  /** Up to 63 letters, digits and hyphens. The endpoint's own is `primary`. */
  readonly name: string;
  /** What it serves. Callers do not know which variant answers, so its inputs and outputs have to be those of the first. */
  readonly model: Model;
  /**
   * Its share of the requests, beside the weights of the others.
   * @default 1
   */
  readonly weight?: number;
  /**
   * As for the endpoint.
   * @default - that of the endpoint
   */
  readonly instanceType?: string;
  /**
   * As for the endpoint.
   * @default - that of the endpoint
   */
  readonly scaling?: GpuScaling;
}

/** A model that gets copies of requests; nobody gets its answers. */
export interface GpuShadow {
  /**
   * Up to 63 letters, digits and hyphens.
   * @default 'shadow'
   */
  readonly name?: string;
  /** What it serves. */
  readonly model: Model;
  /**
   * The share of requests that are copied, above 0 and up to 1.
   * @default 1
   */
  readonly share?: number;
  /**
   * As for the endpoint.
   * @default - that of the endpoint
   */
  readonly instanceType?: string;
  /**
   * How many, 1 or more.
   * @default 1
   */
  readonly instances?: number;
}

/** Requests and answers as files in S3. They hold what callers send. */
export interface GpuDataCapture {
  /** Where they go. */
  readonly bucket: IBucket;
  /**
   * In front of the names of files; ends with a slash.
   * @default 'captured/'
   */
  readonly prefix?: string;
  /** The share of requests, above 0 and up to 1. */
  readonly share: number;
  /**
   * The KMS key of the files.
   * @default - that of the bucket
   */
  readonly encryption?: IKey;
}

/** Properties of an endpoint that answers at once. */
export interface RealTimeGpuEndpointProps extends GpuEndpointOptions {
  /**
   * The share of requests that `model` gets, beside those of `variants`.
   * @default 1
   */
  readonly weight?: number;
  /**
   * How many instances it has.
   * @default - 1, and a second one under load
   */
  readonly scaling?: GpuScaling;
  /**
   * Further models that share the requests (A/B tests). Not together with `shadow`. SageMaker refuses to remove one as long as it is scaled: deploy with
   * its number of instances fixed first.
   * @default - none
   */
  readonly variants?: readonly GpuVariant[];
  /**
   * A model that gets copies of the requests.
   * @default - none
   */
  readonly shadow?: GpuShadow;
  /**
   * Requests and answers as files in S3.
   * @default - none
   */
  readonly dataCapture?: GpuDataCapture;
}

/** How many instances an asynchronous endpoint has. */
export interface AsynchronousGpuScaling {
  /**
   * The fewest. 0: none while nothing waits, and minutes until the first answer.
   * @default 0
   */
  readonly minInstances?: number;
  /**
   * The most, 1 or more.
   * @default 1
   */
  readonly maxInstances?: number;
  /**
   * How many requests may wait for each instance before another one is added.
   * @default 5
   */
  readonly backlogPerInstance?: number;
  /**
   * How long after a change no instance is removed.
   * @default - 10 minutes
   */
  readonly scaleInCooldown?: Duration;
  /**
   * How long after a change no instance is added.
   * @default - 5 minutes, which a new instance takes about
   */
  readonly scaleOutCooldown?: Duration;
}

/** Properties of an endpoint with a queue: requests and results are objects in S3. */
export interface AsynchronousGpuEndpointProps extends GpuEndpointOptions {
  /**
   * Where requests and results are. Of a bucket of yours the endpoint reads `requests/` and writes `results/` and `failures/`.
   * @default - one of its own, which stays when the stack goes, and whose objects expire
   */
  readonly bucket?: IBucket;
  /**
   * After which requests, results and failures are deleted from the endpoint's own bucket: whole days.
   * @default - 1 day
   */
  readonly expiry?: Duration;
  /**
   * The KMS key of results and failures, and of the endpoint's own bucket.
   * @default - S3's own key
   */
  readonly encryption?: IKey;
  /**
   * Is told of every result.
   * @default - none
   */
  readonly successTopic?: ITopic;
  /**
   * Is told of every failure.
   * @default - none
   */
  readonly errorTopic?: ITopic;
  /**
   * How many requests an instance works on at once, 1 to 1000.
   * @default - SageMaker's choice
   */
  readonly maxConcurrentInvocationsPerInstance?: number;
  /**
   * How many instances it has.
   * @default - none, and one while requests wait
   */
  readonly scaling?: AsynchronousGpuScaling;
}
