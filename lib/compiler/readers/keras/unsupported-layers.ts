/** Says at once, and of all of them, which layers of a model cannot be converted. */

import { isRecord } from '../../formats/json.js';
import { ReaderError } from '../reader-error.js';
import { hasLayerLowering, hasOperationLowering } from './layer-tables.js';
import type { KerasLayer, KerasModel } from './topology.js';

interface Kind {
  count: number;
  /** The first few. */
  readonly paths: string[];
}

const NAMED = 3;

/** @throws ReaderError LAYERS_UNSUPPORTED with the count and the first names of each kind */
export function refuseUnsupportedLayers(model: KerasModel): void {
  const kinds = new Map<string, Kind>();
  collect(model, '', kinds);
  if (kinds.size === 0) return;
  const list = [...kinds].map(([kind, { count, paths }]) => {
    const more = count > paths.length ? ', …' : '';
    return `${kind} (${count}: ${paths.map((path) => `'${path}'`).join(', ')}${more})`;
  });
  const advice = new Set([...kinds.keys()].map(adviceFor));
  throw new ReaderError({
    code: 'LAYERS_UNSUPPORTED',
    message: `Layers that cannot be converted: ${list.join('; ')}.`,
    advice: [...advice].join(' '),
  });
}

function collect(model: KerasModel, path: string, kinds: Map<string, Kind>): void {
  for (const layer of model.layers) {
    const at = `${path}${layer.name}`;
    if (layer.model !== undefined) collect(layer.model, `${at}/`, kinds);
    else for (const kind of unsupportedIn(layer)) add(kinds, kind, at);
  }
}

function unsupportedIn({
  className,
  isOperation,
  config,
  model,
}: Omit<KerasLayer, 'calls' | 'name' | 'sharedId'>): string[] {
  if (model !== undefined || className === 'InputLayer') return [];
  if (isOperation) {
    const name = operationName(className, config);
    return hasOperationLowering(className, config) ? [] : [name];
  }
  if (!hasLayerLowering(className)) return [className];
  const { layer: inner } = config;
  if (!isRecord(inner) || typeof inner.class_name !== 'string') return [];
  const fields = isRecord(inner.config) ? inner.config : {};
  if (Array.isArray(fields.layers)) return [];
  return unsupportedIn({ className: inner.class_name, isOperation: false, config: fields, model: undefined });
}

/** TensorFlow's operators in Keras 2 have one class and say in their config which they are. */
function operationName(className: string, config: Readonly<Record<string, unknown>>): string {
  const { function: fn } = config;
  return typeof fn === 'string' ? `${className} ${fn}` : `keras.ops ${className}`;
}

function add(kinds: Map<string, Kind>, kind: string, path: string): void {
  const found = kinds.get(kind) ?? { count: 0, paths: [] };
  kinds.set(kind, found);
  found.count++;
  if (found.paths.length < NAMED) found.paths.push(path);
}

const TEXTS = new Set(['TextVectorization', 'StringLookup', 'Hashing', 'HashedCrossing']);

function adviceFor(kind: string): string {
  if (kind === 'Lambda') {
    return 'A Lambda layer is Python code, which is not in the file: put built-in layers or keras.ops in its place and save the model again.';
  }
  if (TEXTS.has(kind)) {
    return `${kind} reads texts, which the ONNX model cannot: save the part of the model behind it, and prepare texts with the task's tokenizer or in the client.`;
  }
  if (kind === 'IntegerLookup' || kind === 'Discretization') {
    return `${kind} looks values up in a table of the file's assets: do that in the client, and save the part of the model behind it.`;
  }
  return 'Custom layers are Python code, which is not in the file: build the model of standard layers, or export it with model.export() and use the SavedModel.';
}
