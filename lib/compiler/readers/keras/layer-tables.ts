/** Every layer and operator that is read, by class: one table a family. A new table gets its line here. */
import type { LayerLowering, LayerTable } from './layer.js';
import { embeddingLayers } from './layers/embedding.js';
import { preprocessingLayers } from './layers/preprocessing.js';
import type { OperationLowering, OperationTable } from './operations/operation.js';

const layers: LayerTable = {
  ...embeddingLayers,
  ...preprocessingLayers,
};

const kerasOperations: OperationTable = {};
const tensorflowOperations: OperationTable = {};

export function hasLayerLowering(className: string): boolean {
  return Object.hasOwn(layers, className);
}

export function layerLowering(className: string): LayerLowering | undefined {
  return hasLayerLowering(className) ? layers[className] : undefined;
}

export function hasOperationLowering(className: string, config: Readonly<Record<string, unknown>>): boolean {
  return operationLowering(className, config) !== undefined;
}

/** @param config Keras 2 keeps the name of TensorFlow's function there */
export function operationLowering(
  className: string,
  config: Readonly<Record<string, unknown>>,
): OperationLowering | undefined {
  if (className !== 'TFOpLambda' && className !== 'SlicingOpLambda') {
    return Object.hasOwn(kerasOperations, className) ? kerasOperations[className] : undefined;
  }
  const name = String(config.function);
  return Object.hasOwn(tensorflowOperations, name) ? tensorflowOperations[name] : undefined;
}
