/** Says at once, and of all of them, which layers of a model cannot be converted. */
import { isRecord } from '../../formats/json.js';
import { type UnsupportedDetails, UnsupportedOperations } from '../unsupported-operations.js';
import { hasLayerLowering, operationLowering } from './layer-tables.js';
import type { KerasLayer, KerasModel } from './topology.js';

/** @throws ReaderError LAYER_UNSUPPORTED with each kind, how often it is there, and where first */
export function refuseUnsupportedLayers(model: KerasModel): void {
  const unsupported = new UnsupportedOperations('layer');
  collect(model, '', unsupported);
  unsupported.check();
}

function collect(model: KerasModel, path: string, unsupported: UnsupportedOperations): void {
  for (const layer of model.layers) {
    const at = `${path}${layer.name}`;
    if (layer.model !== undefined) collect(layer.model, `${at}/`, unsupported);
    else {
      const kind = unsupportedKind(layer);
      if (kind !== undefined) unsupported.add(kind, at, detailsOf(kind));
    }
  }
}

type LayerKind = Pick<KerasLayer, 'className' | 'isOperation' | 'config'>;

function unsupportedKind({ className, isOperation, config }: LayerKind): string | undefined {
  if (className === 'InputLayer') return undefined;
  if (isOperation)
    return operationLowering(className, config) === undefined ? operationName(className, config) : undefined;
  if (!hasLayerLowering(className)) return className;
  const { layer: inner } = config;
  if (!isRecord(inner) || typeof inner.class_name !== 'string') return undefined;
  const fields = isRecord(inner.config) ? inner.config : {};
  // A model that a layer wraps is looked through when it is lowered.
  if (Array.isArray(fields.layers)) return undefined;
  return unsupportedKind({ className: inner.class_name, isOperation: false, config: fields });
}

/** TensorFlow's functions in Keras 2 have one class and say in their config which they are. */
function operationName(className: string, config: Readonly<Record<string, unknown>>): string {
  const { function: name } = config;
  return typeof name === 'string' ? `tf.${name}` : `keras.ops ${className}`;
}

const TEXTS = new Set(['TextVectorization', 'StringLookup', 'Hashing', 'HashedCrossing']);
const TABLES = new Set(['IntegerLookup', 'Discretization', 'CategoryEncoding', 'FeatureSpace']);

function detailsOf(kind: string): UnsupportedDetails {
  if (kind === 'Lambda') {
    return {
      reason: 'it holds Python code, which is never run',
      advice: 'Put built-in layers or keras.ops in the place of Lambda layers, and save the model again.',
    };
  }
  if (TEXTS.has(kind)) {
    return {
      reason: 'it reads texts',
      advice:
        "Save the part of the model behind the text layers, and prepare texts with the task's tokenizer or in the client.",
    };
  }
  if (TABLES.has(kind)) {
    return {
      reason: 'it looks values up in a table',
      advice: 'Look values up in the client, and save the part of the model behind that.',
    };
  }
  if (kind.startsWith('tf.') || kind.startsWith('keras.ops ')) {
    return { advice: 'Write these functions with others or with built-in layers, and save the model again.' };
  }
  return {
    advice:
      "Classes that are not Keras's own are Python code, which is not in the file: build the model of built-in layers, or use the SavedModel that model.export() writes.",
  };
}
