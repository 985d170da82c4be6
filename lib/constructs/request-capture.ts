import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, type IBucket } from 'aws-cdk-lib/aws-s3';
import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { CAPTURE_VARIABLE, type CaptureSettings } from '../artifact/capture.js';
import type { ModelLayer } from './model-layer.js';
import { DECRYPT_OBJECT, READ_OBJECT } from './permissions.js';
import { throwProblems } from './problems.js';
import { CAPTURE_DEFAULTS, type RequestCaptureOptions, redactionProblemsOf } from './request-capture-options.js';

const DEFAULT_EXPIRY = Duration.days(30);

/** Where a function keeps requests with their answers. Created by `InferenceFunction` with the option `capture`. */
export class RequestCapture extends Construct {
  /** The bucket that they are put into. */
  readonly bucket: IBucket;
  /** In front of the keys of this function's, with the model's name: `captures/faces/`. */
  readonly prefix: string;
  /** The KMS key of the bucket; undefined where it is S3's own. */
  readonly key: IKey | undefined;
  private readonly settings: CaptureSettings;

  constructor(scope: Construct, id: string, modelName: string, options: RequestCaptureOptions) {
    super(scope, id);
    const { bucket, encryption, prefix = CAPTURE_DEFAULTS.prefix } = options;
    this.bucket = bucket ?? createCaptureBucket(this, options);
    this.key = encryption ?? this.bucket.encryptionKey;
    this.prefix = `${prefix}${modelName}/`;
    this.settings = {
      bucket: this.bucket.bucketName,
      prefix,
      share: options.share ?? CAPTURE_DEFAULTS.share,
      maxBodyBytes: (options.maxBodySize ?? CAPTURE_DEFAULTS.maxBodySize).toBytes(),
      headers: (options.headers ?? []).map((name) => name.toLowerCase()),
      inputs: options.redactInputs ?? {},
      outputs: options.redactOutputs ?? {},
      wait: options.waitForWrite ?? false,
    };
  }

  /** What the function's code is told. Read by `InferenceFunction`. */
  get environment(): Readonly<Record<string, string>> {
    return { [CAPTURE_VARIABLE]: Stack.of(this).toJsonString(this.settings) };
  }

  /** Lets someone read what was kept, and list it: to replay it, for one. */
  grantRead(grantee: IGrantable): Grant {
    const grants = [
      Grant.addToPrincipal({
        grantee,
        actions: READ_OBJECT,
        resourceArns: [this.bucket.arnForObjects(`${this.prefix}*`)],
      }),
      Grant.addToPrincipal({
        grantee,
        actions: ['s3:ListBucket'],
        resourceArns: [this.bucket.bucketArn],
        conditions: { StringLike: { 's3:prefix': `${this.prefix}*` } },
      }),
    ];
    if (this.key !== undefined) grants.push(this.key.grant(grantee, ...DECRYPT_OBJECT));
    return grants.reduce((all, grant) => all.combine(grant));
  }
}

/** Undefined where nothing is to be kept. */
export function createCapture(
  scope: Construct,
  modelName: string,
  { signature }: ModelLayer,
  options: RequestCaptureOptions | undefined,
): RequestCapture | undefined {
  if (options === undefined) return undefined;
  throwProblems(scope.node.path, signature === undefined ? [] : redactionProblemsOf(options, signature));
  return new RequestCapture(scope, 'Capture', modelName, options);
}

/** For nobody but who is granted it. It outlives its stack: CloudFormation deletes no bucket with objects, and these expire by themselves. */
function createCaptureBucket(
  scope: Construct,
  { expiry = DEFAULT_EXPIRY, encryption }: RequestCaptureOptions,
): IBucket {
  const bucket = new Bucket(scope, 'Bucket', {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    enforceSSL: true,
    removalPolicy: RemovalPolicy.RETAIN,
    lifecycleRules: [{ expiration: expiry }],
    ...(encryption === undefined
      ? { encryption: BucketEncryption.S3_MANAGED }
      : { encryption: BucketEncryption.KMS, encryptionKey: encryption, bucketKeyEnabled: true }),
  });
  Validations.of(bucket.node.defaultChild ?? bucket).acknowledge({
    id: 'AwsSolutions-S1',
    reason: 'Requests and answers that expire; a bucket of your own can log what is done in it.',
  });
  // aws-cdk-lib's optional properties are typed without `undefined`, its classes with.
  return bucket as IBucket;
}
