import { Code, type CodeConfig } from 'aws-cdk-lib/aws-lambda';
import type { FileAssetLocation } from 'aws-cdk-lib/core';

/** An asset that is staged already; its key is its hash, so that a new content is a new layer version. */
export class StagedCode extends Code {
  readonly isInline = false;

  constructor(private readonly location: FileAssetLocation) {
    super();
  }

  bind(): CodeConfig {
    return { s3Location: { bucketName: this.location.bucketName, objectKey: this.location.objectKey } };
  }
}
