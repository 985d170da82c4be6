import { type Architecture, type ILayerVersion, LayerVersion, Runtime } from 'aws-cdk-lib/aws-lambda';
import { RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { toolVersion } from '../artifact/package-root.js';
import { architectureName, chooseArchitecture } from './architecture.js';
import { layerName } from './layer-name.js';
import { onnxRuntimeAsset } from './prepared-asset.js';

/** Properties of an `OnnxRuntimeLayer`. */
export interface OnnxRuntimeLayerProps {
  /**
   * The architecture of the functions that use the layer.
   * @default - the context `cdk-onnx:architecture`, else arm64
   */
  readonly architecture?: Architecture;
  /**
   * What becomes of a layer version that is replaced or whose stack is deleted.
   * @default RemovalPolicy.RETAIN - earlier function versions stay deployable
   */
  readonly removalPolicy?: RemovalPolicy;
}

/**
 * onnxruntime for one architecture as a Lambda layer: `require('onnxruntime-node')` works in any Node.js function that has it. `import` in an
 * ECMAScript module does not look into layers: there, `createRequire(import.meta.url)('onnxruntime-node')`.
 *
 * @throws ConfigurationError `NOT_PREPARED` when the package's files were not built.
 */
export class OnnxRuntimeLayer extends Construct {
  /** The layer version itself. */
  readonly layer: ILayerVersion;
  /** What all of its versions are published as. */
  readonly layerName: string;
  /** The architecture of its native library. */
  readonly architecture: Architecture;
  /** Unzipped size. */
  readonly bytes: number;
  /** sha256 over the layer's files, lower-case hexadecimal. */
  readonly digest: string;

  constructor(scope: Construct, id: string, props: OnnxRuntimeLayerProps = {}) {
    super(scope, id);
    this.architecture = chooseArchitecture(this, props.architecture);
    const asset = onnxRuntimeAsset(architectureName(this.architecture));
    this.bytes = asset.bytes;
    this.digest = asset.digest;
    this.layerName = layerName(this);
    this.layer = new LayerVersion(this, 'Layer', {
      layerVersionName: this.layerName,
      code: asset.code,
      description: `onnxruntime ${toolVersion().onnxruntime} for ${this.architecture.name}`,
      compatibleArchitectures: [this.architecture],
      compatibleRuntimes: [Runtime.NODEJS_22_X, Runtime.NODEJS_24_X],
      removalPolicy: props.removalPolicy ?? RemovalPolicy.RETAIN,
    });
  }
}
