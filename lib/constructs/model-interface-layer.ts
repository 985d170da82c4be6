import { dirname, join, relative } from 'node:path';
import { Architecture, type ILayerVersion, LayerVersion, Runtime } from 'aws-cdk-lib/aws-lambda';
import { FileAssetPackaging, RemovalPolicy, Stack, Stage } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { canonicalJson, type Json, sha256 } from '../artifact/digest.js';
import { ASSETS_FOLDER } from '../artifact/manifest.js';
import { MODEL_INTERFACE_FILE, modelInterface } from '../artifact/model-interface.js';
import { layerName } from './layer-name.js';
import { layerPath } from './model-asset.js';
import { readArtifact } from './model-description.js';
import { StagedCode } from './staged-code.js';
import { stageFolder } from './staged-folder.js';

/** Properties of a `ModelInterfaceLayer`. */
export interface ModelInterfaceLayerProps {
  /** The model's name. */
  readonly modelName: string;
  /** The folder with the built artifact, beside which the layer is staged. */
  readonly artifactFolder: string;
}

/**
 * What callers of a model rely on, without its weights, as a Lambda layer: names, types and shapes of its tensors, and its task with the
 * files that it names. A model that has only learnt more has the same one.
 */
export class ModelInterfaceLayer extends Construct {
  /** The layer version itself. */
  readonly layer: ILayerVersion;
  /** What all of its versions are published as. */
  readonly layerName: string;
  /** Where a function finds it. */
  readonly path: string;
  /** Hash of its content. */
  readonly digest: string;

  constructor(scope: Construct, id: string, { modelName, artifactFolder }: ModelInterfaceLayerProps) {
    super(scope, id);
    const stack = Stack.of(scope);
    const below = layerPath(modelName);
    const manifest = readArtifact(artifactFolder);
    const assets = manifest.files.filter(({ path }) => path.startsWith(`${ASSETS_FOLDER}/`));
    const text = canonicalJson(modelInterface(manifest) as unknown as Json);
    this.digest = sha256(canonicalJson({ text, assets: assets.map(({ path, sha256: digest }) => ({ path, digest })) }));
    // The staged artifact is <asset>/models/<name>.
    const staged = dirname(dirname(dirname(artifactFolder)));
    const folder = join(staged, `asset.${this.digest}`);
    stageFolder(folder, [
      { path: join(below, MODEL_INTERFACE_FILE), text },
      ...assets.map(({ path }) => ({ path: join(below, path), copyOf: join(artifactFolder, path) })),
    ]);
    const location = stack.synthesizer.addFileAsset({
      sourceHash: this.digest,
      fileName: relative(Stage.of(stack)?.outdir ?? staged, folder),
      packaging: FileAssetPackaging.ZIP_DIRECTORY,
      displayName: `interface of the model ${modelName}`,
    });
    this.path = `/opt/${below}`;
    this.layerName = layerName(this);
    this.layer = new LayerVersion(this, 'Layer', {
      layerVersionName: this.layerName,
      code: new StagedCode(location),
      description: `interface of the model ${modelName}`,
      compatibleArchitectures: [Architecture.ARM_64, Architecture.X86_64],
      compatibleRuntimes: [Runtime.NODEJS_24_X],
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }
}
