import { type Architecture, type ILayerVersion, LayerVersion, Runtime } from 'aws-cdk-lib/aws-lambda';
import { FileAssetPackaging, RemovalPolicy, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { folderBytes } from '../artifact/folder-digest.js';
import type { InputProfile } from '../artifact/input-profile.js';
import type { Signature } from '../artifact/manifest.js';
import { planSize, type SizePlan } from '../artifact/size-plan.js';
import { architectureName, chooseArchitecture } from './architecture.js';
import { layerName } from './layer-name.js';
import type { Model } from './model.js';
import { layerPath } from './model-asset.js';
import { readArtifact, readInputProfile } from './model-description.js';
import { type ModelWeights, splitModel } from './model-weights.js';
import { StagedCode } from './staged-code.js';

/** Properties of a `ModelLayer`. */
export interface ModelLayerProps {
  /** The model that it carries. */
  readonly model: Model;
  /**
   * The architecture that the model is built for.
   * @default - the context `cdk-onnx:architecture`, else arm64
   */
  readonly architecture?: Architecture;
  /**
   * Unzipped bytes of what a function has besides the model. Where all of it together is above Lambda's limit, the model's largest
   * file stays out of the layer and becomes an object in S3.
   * @default - not known: the whole model is in the layer
   */
  readonly beside?: { readonly runtimeBytes: number; readonly functionBytes: number };
  /**
   * What becomes of a layer version that is replaced or whose stack is deleted.
   * @default RemovalPolicy.RETAIN - earlier function versions stay deployable
   */
  readonly removalPolicy?: RemovalPolicy;
}

/**
 * A model as a Lambda layer: its artifact lies in /opt/models/<name>.
 *
 * @throws SynthesisError `MODEL_BUILD_FAILED`, `ARTIFACT_DAMAGED`
 */
export class ModelLayer extends Construct {
  /** The layer version itself. */
  readonly layer: ILayerVersion;
  /** What all of its versions are published as. */
  readonly layerName: string;
  /** The architecture that the model is built for. */
  readonly architecture: Architecture;
  /** Where a function finds the artifact. */
  readonly artifactPath: string;
  /** Unzipped size of the model, or undefined where the app runs without bundling and nothing was built. */
  readonly bytes: number | undefined;
  /** Hash of what the model is made from, its weights in S3 included. */
  readonly digest: string;
  /** The folder with the built artifact; undefined where nothing was built. */
  readonly artifactFolder: string | undefined;
  /** What the model takes and gives; undefined where nothing was built. */
  readonly signature: Signature | undefined;
  /** How the inputs of the build's samples are distributed; undefined without a `drift` section in model.json, or where nothing was built. */
  readonly inputProfile: InputProfile | undefined;
  /** How the model travels; undefined where its size, or what is beside it, is not known. */
  readonly sizePlan: SizePlan | undefined;
  /** What is not in the layer; undefined for a model that fits. */
  readonly weights: ModelWeights | undefined;

  constructor(scope: Construct, id: string, props: ModelLayerProps) {
    super(scope, id);
    const { model } = props;
    this.architecture = chooseArchitecture(this, props.architecture);
    const { staging, artifactFolder } = model.bind(this, { architecture: architectureName(this.architecture) });
    this.artifactFolder = artifactFolder;
    this.artifactPath = `/opt/${layerPath(model.name)}`;
    this.bytes = artifactFolder === undefined ? undefined : folderBytes(artifactFolder);
    this.digest = staging.assetHash;
    this.signature = artifactFolder === undefined ? undefined : readArtifact(artifactFolder).signature;
    this.inputProfile = artifactFolder === undefined ? undefined : readInputProfile(artifactFolder);

    this.sizePlan =
      this.bytes === undefined || props.beside === undefined
        ? undefined
        : planSize({ ...props.beside, modelBytes: this.bytes });
    const stack = Stack.of(this);
    const split =
      this.sizePlan?.kind === 's3' && artifactFolder !== undefined
        ? splitModel(this, { name: model.name, staging, artifactFolder })
        : undefined;
    this.weights = split?.weights;
    const location = stack.synthesizer.addFileAsset({
      sourceHash: split?.layerHash ?? staging.assetHash,
      fileName: split?.layerFolder ?? staging.relativeStagedPath(stack),
      packaging: FileAssetPackaging.ZIP_DIRECTORY,
      displayName: `model ${model.name}`,
    });
    this.layerName = layerName(this);
    this.layer = new LayerVersion(this, 'Layer', {
      layerVersionName: this.layerName,
      code: new StagedCode(location),
      description: `model ${model.name}`,
      compatibleArchitectures: [this.architecture],
      compatibleRuntimes: [Runtime.NODEJS_22_X, Runtime.NODEJS_24_X],
      removalPolicy: props.removalPolicy ?? RemovalPolicy.RETAIN,
    });
  }
}
