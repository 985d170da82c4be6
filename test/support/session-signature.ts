/** What an open session says about itself, as a manifest would say it. */
import type { InferenceSession } from 'onnxruntime-node';
import type { DataType, Signature } from '../../lib/artifact/manifest.js';

export function sessionSignature({ inputMetadata, outputMetadata }: InferenceSession): Signature {
  const tensors = (metadata: readonly InferenceSession.ValueMetadata[]) =>
    metadata.map((value) => {
      if (!value.isTensor) throw new Error(`${value.name} is no tensor`);
      return { name: value.name, dataType: value.type as DataType, shape: value.shape };
    });
  return { inputs: tensors(inputMetadata), outputs: tensors(outputMetadata) };
}
