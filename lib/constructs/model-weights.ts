/** A model in two parts: its largest file an object in S3, all the rest a layer. */
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type AssetStaging, FileAssetPackaging, Stack, Stage } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { canonicalJson, sha256 } from '../artifact/digest.js';
import { type ArtifactFile, MANIFEST_FILE, type Manifest } from '../artifact/manifest.js';
import { layerPath } from './model-asset.js';
import { stageFolder } from './staged-folder.js';

/** The weights of a model, as an object in the CDK's bucket whose key is their sha256. */
export interface ModelWeights {
  /** The file as the manifest describes it. */
  readonly file: ArtifactFile;
  /** `s3://bucket/key` */
  readonly uri: string;
  /** What a function must be allowed to read. */
  readonly objectArn: string;
}

export interface SplitModel {
  /** The folder of the layer, relative to the cloud assembly of the stack. */
  readonly layerFolder: string;
  /** Of the layer. */
  readonly layerHash: string;
  readonly weights: ModelWeights;
}

/** Leaves the staged folder as it is and stages a second one without the largest file of the artifact. */
export function splitModel(
  scope: Construct,
  model: { readonly name: string; readonly staging: AssetStaging; readonly artifactFolder: string },
): SplitModel {
  const { name, staging, artifactFolder } = model;
  const manifest = JSON.parse(readFileSync(join(artifactFolder, MANIFEST_FILE), 'utf8')) as Manifest;
  const weights = largestFile(manifest);
  const layerHash = sha256(canonicalJson({ model: staging.assetHash, without: weights.path }));
  const folder = join(dirname(staging.absoluteStagedPath), `asset.${layerHash}`);
  const others = [MANIFEST_FILE, ...manifest.files.filter((file) => file !== weights).map((file) => file.path)];
  stageFolder(
    folder,
    others.map((path) => ({ path: join(layerPath(name), path), copyOf: join(artifactFolder, path) })),
  );

  const stack = Stack.of(scope);
  const assembly = Stage.of(stack)?.outdir ?? dirname(folder);
  const { bucketName, objectKey } = stack.synthesizer.addFileAsset({
    sourceHash: weights.sha256,
    fileName: relative(assembly, join(artifactFolder, weights.path)),
    packaging: FileAssetPackaging.FILE,
    displayName: `weights of the model ${name}`,
  });
  return {
    layerFolder: relative(assembly, folder),
    layerHash,
    weights: {
      file: weights,
      uri: `s3://${bucketName}/${objectKey}`,
      objectArn: stack.formatArn({
        service: 's3',
        region: '',
        account: '',
        resource: bucketName,
        resourceName: objectKey,
      }),
    },
  };
}

function largestFile({ files }: Manifest): ArtifactFile {
  return files.reduce((largest, file) => (file.bytes > largest.bytes ? file : largest));
}
