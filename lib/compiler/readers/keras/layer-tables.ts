/** Every layer and operator that is read, by class: one table a family. A new table gets its line here. */
import type { LayerLowering, LayerTable } from './layer.js';
import { activationLayers } from './layers/activation.js';
import { attentionLayers } from './layers/attention.js';
import { convolutionLayers } from './layers/convolution.js';
import { convolutionalRecurrentLayers } from './layers/convolutional-recurrent.js';
import { coreLayers } from './layers/core.js';
import { embeddingLayers } from './layers/embedding.js';
import { mergeLayers } from './layers/merge.js';
import { normalizationLayers } from './layers/normalization.js';
import { paddingLayers } from './layers/padding.js';
import { poolingLayers } from './layers/pooling.js';
import { preprocessingLayers } from './layers/preprocessing.js';
import { recurrentLayers } from './layers/recurrent.js';
import { resizingLayers } from './layers/resizing.js';
import { kerasOperations } from './operations/keras-operations.js';
import type { OperationLowering } from './operations/operation.js';
import { tensorflowOperations } from './operations/tensorflow-operations.js';

const layers: LayerTable = {
  ...activationLayers,
  ...attentionLayers,
  ...convolutionLayers,
  ...convolutionalRecurrentLayers,
  ...coreLayers,
  ...embeddingLayers,
  ...mergeLayers,
  ...normalizationLayers,
  ...paddingLayers,
  ...poolingLayers,
  ...preprocessingLayers,
  ...recurrentLayers,
  ...resizingLayers,
};

export function hasLayerLowering(className: string): boolean {
  return Object.hasOwn(layers, className);
}

export function layerLowering(className: string): LayerLowering | undefined {
  return hasLayerLowering(className) ? layers[className] : undefined;
}

/** @param config Keras 2 keeps the name of TensorFlow's function there */
export function operationLowering(
  className: string,
  config: Readonly<Record<string, unknown>>,
): OperationLowering | undefined {
  if (className !== 'TFOpLambda' && className !== 'SlicingOpLambda') {
    return Object.hasOwn(kerasOperations, className) ? kerasOperations[className] : undefined;
  }
  // Some have two names.
  const own = String(config.function);
  const name = [own, own.replace(/^compat\.v1\./, '')].find((each) => Object.hasOwn(tensorflowOperations, each));
  return name === undefined ? undefined : tensorflowOperations[name];
}
