/** A model's archive for Triton as one object in the CDK's bucket. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { FileAssetPackaging, Stack, Stage } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { ARCHIVE_DESCRIPTION, ARCHIVE_SCHEMA_VERSION, MODEL_ARCHIVE, type TritonArchive } from '../artifact/triton.js';
import { SynthesisError } from '../errors.js';
import type { Model } from './model.js';

/** What SageMaker is told of it, and what a role may read. */
export interface ArchiveObject {
  readonly url: string;
  readonly objectArn: string;
  /** Undefined where the app runs without bundling and nothing was built. */
  readonly description: TritonArchive | undefined;
}

/**
 * An asset whose key ends as SageMaker wants it to: the CDK takes `.gz` of a file's name, so that `.tar` is part of the hash.
 *
 * @throws SynthesisError `MODEL_BUILD_FAILED`, `GPU_NOT_CONFIGURED`, `GPU_VARIANT_MISSING`, `ARTIFACT_DAMAGED`
 */
export function archiveObject(scope: Construct, id: string, model: Model): ArchiveObject {
  const stack = Stack.of(scope);
  const { staging, archiveFolder } = model.bindArchive(new Construct(scope, id));
  const description = archiveFolder === undefined ? undefined : readDescription(archiveFolder);
  const assembly = Stage.of(stack)?.outdir ?? dirname(staging.absoluteStagedPath);
  const { bucketName, objectKey } = stack.synthesizer.addFileAsset({
    sourceHash: `${description?.sha256 ?? staging.assetHash}.tar`,
    fileName: relative(assembly, join(archiveFolder ?? staging.absoluteStagedPath, MODEL_ARCHIVE)),
    packaging: FileAssetPackaging.FILE,
    displayName: `archive of the model ${model.name} for Triton`,
  });
  return {
    url: `s3://${bucketName}/${objectKey}`,
    objectArn: stack.formatArn({
      service: 's3',
      region: '',
      account: '',
      resource: bucketName,
      resourceName: objectKey,
    }),
    description,
  };
}

function readDescription(folder: string): TritonArchive {
  const file = join(folder, ARCHIVE_DESCRIPTION);
  const json: unknown = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  if (isArchive(json)) return json;
  throw new SynthesisError({
    code: 'ARTIFACT_DAMAGED',
    message: `${file} describes no archive for Triton of schema version ${ARCHIVE_SCHEMA_VERSION}.`,
    advice: 'Build the artifact again with this version of cdk-onnx.',
  });
}

function isArchive(json: unknown): json is TritonArchive {
  if (typeof json !== 'object' || json === null) return false;
  const { schemaVersion, sha256, name, opsets, irVersion } = json as Partial<Record<keyof TritonArchive, unknown>>;
  return (
    schemaVersion === ARCHIVE_SCHEMA_VERSION &&
    /^[0-9a-f]{64}$/.test(String(sha256)) &&
    typeof name === 'string' &&
    typeof irVersion === 'number' &&
    typeof opsets === 'object' &&
    opsets !== null
  );
}
