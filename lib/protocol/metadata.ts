/** The documents of `GET /v2`, `GET /v2/models` and `GET /v2/models/{model}`. */
import type { Manifest, TensorSignature } from '../artifact/manifest.js';
import { v2DataType } from './data-types.js';

export const SERVER_NAME = 'cdk-onnx';
/** V2's names of the extensions that are implemented here. */
export const EXTENSIONS = ['binary_tensor_data'] as const;

export function serverMetadata(version: string) {
  return { name: SERVER_NAME, version, extensions: EXTENSIONS };
}

/** A model of an endpoint, as its function for the server knows it. */
export interface ListedModel {
  readonly name: string;
  readonly version: number;
  /** Undefined where no router stands in front of its function. */
  readonly routing?: Routing | undefined;
}

/** What a router makes jobs of: nothing, what callers upload, or inferences that nobody answers too. */
export type Routing = (typeof ROUTINGS)[number];
export const ROUTINGS = ['no-jobs', 'uploads', 'jobs'] as const;

/** V2 knows no listing; versions are texts, as everywhere in V2. */
export function modelListing(models: readonly ListedModel[]) {
  return { models: models.map(({ name, version }) => ({ name, version: String(version) })) };
}

export function modelMetadata({
  name,
  modelVersion,
  signature,
}: Pick<Manifest, 'name' | 'modelVersion' | 'signature'>) {
  return {
    name,
    versions: [String(modelVersion)],
    platform: 'onnxruntime_onnx',
    inputs: signature.inputs.map(tensorMetadata),
    outputs: signature.outputs.map(tensorMetadata),
  };
}

/** -1 stands for a size that is not fixed; V2 has no way to say that the rank is not either, so that is [-1]. */
function tensorMetadata({ name, dataType, shape }: TensorSignature) {
  return {
    name,
    datatype: v2DataType(dataType),
    shape: (shape ?? [null]).map((size) => (typeof size === 'number' ? size : -1)),
  };
}
