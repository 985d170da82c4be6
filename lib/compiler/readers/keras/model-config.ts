/** Parses a model's config, as every version of Keras and TensorFlow.js writes it, into the topology. */
import { isRecord } from '../../formats/json.js';
import { ReaderError } from '../reader-error.js';
import { counted, countedFrom, layerReferences, parseInboundNode } from './call-arguments.js';
import type { LayerConfig } from './layer-config.js';
import { sequentialLayers } from './sequential.js';
import {
  type CallArguments,
  damaged,
  type KerasLayer,
  type KerasModel,
  type NamedReference,
  referencesIn,
} from './topology.js';

/**
 * @param value `{ class_name, config }` as Keras serializes a model
 * @throws ReaderError KERAS_CONFIG, KERAS_MODEL_CLASS
 */
export function parseModelConfig(value: unknown): KerasModel {
  if (!isRecord(value)) throw damaged('it is no object');
  const className = typeof value.class_name === 'string' ? value.class_name : '';
  const config = modelFields(value.config);
  if (config === undefined) {
    const module = typeof value.module === 'string' ? ` of ${value.module}` : '';
    throw new ReaderError({
      code: 'KERAS_MODEL_CLASS',
      message: `The model is of the class '${className}'${module}, and its config does not say what it computes.`,
      advice:
        'Subclassed models are Python code. Rebuild it as a Functional or Sequential model and save that, or use the SavedModel that model.export() writes.',
    });
  }
  return parseModel(className, config, 'model');
}

/** A model that a layer wraps: TimeDistributed(Sequential(…)). @throws ReaderError KERAS_CONFIG */
export function parseInnerModel(className: string, config: LayerConfig): KerasModel {
  if (!Array.isArray(config.raw('layers'))) throw damaged(`${config.describes} has no layers`);
  return parseModel(className, config.values, className);
}

/** Keras 1 and early 2 write a Sequential's layers as the config itself. */
function modelFields(config: unknown): Readonly<Record<string, unknown>> | undefined {
  const fields = Array.isArray(config) ? { layers: config } : config;
  return isRecord(fields) && Array.isArray(fields.layers) ? fields : undefined;
}

function parseModel(className: string, fields: Readonly<Record<string, unknown>>, fallbackName: string): KerasModel {
  const name = typeof fields.name === 'string' ? fields.name : fallbackName;
  const list = fields.layers as readonly unknown[];
  const layers = list.map((value, index) => parseLayer(value, `layer ${index} of '${name}'`));
  checkNames(layers, name);
  const isFunctional = list.some((layer) => isRecord(layer) && 'inbound_nodes' in layer);
  if (!isFunctional) return { name, className, ...sequentialLayers(layers, fields, name) };
  const outputs = layerReferences(fields.output_layers, `output_layers of '${name}'`);
  const inputs = layerReferences(fields.input_layers, `input_layers of '${name}'`);
  return { name, className, inputs, ...withCallsFromZero(layers, outputs) };
}

function parseLayer(value: unknown, what: string): KerasLayer {
  if (!isRecord(value) || typeof value.class_name !== 'string') throw damaged(`${what} has no class_name`);
  const className = value.class_name;
  const fields = modelFields(value.config);
  const config = fields ?? value.config ?? {};
  if (!isRecord(config)) throw damaged(`the config of ${what} (${className}) is no object`);
  const name = String([value.name, config.name].find((each) => typeof each === 'string') ?? className);
  const nodes = value.inbound_nodes ?? [];
  if (!Array.isArray(nodes)) throw damaged(`inbound_nodes of ${what} is no list`);
  const calls = nodes.map((node: unknown) => parseInboundNode(node, `${className} '${name}'`));
  const { shared_object_id: sharedId } = value;
  return {
    className,
    isOperation: isOperation(value, config, calls),
    name,
    config,
    sharedId: typeof sharedId === 'number' ? sharedId : undefined,
    model: fields === undefined ? undefined : parseModel(className, fields, name),
    calls,
  };
}

const TENSORFLOW_FUNCTIONS = new Set(['TFOpLambda', 'SlicingOpLambda']);

/** In Keras 3's HDF5 files no module tells functions from layers; but only layers can be trained. */
function isOperation(
  { class_name: className, module }: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, unknown>>,
  calls: readonly CallArguments[],
): boolean {
  if (TENSORFLOW_FUNCTIONS.has(String(className))) return true;
  if (typeof module === 'string') return /^keras\.(src\.)?ops\b/.test(module);
  return className !== 'InputLayer' && !('trainable' in config) && calls.some(({ style }) => style === 'objects');
}

function checkNames(layers: readonly KerasLayer[], model: string): void {
  const names = new Set<string>();
  for (const { name } of layers) {
    if (names.has(name)) throw damaged(`'${model}' has two layers called '${name}'`);
    names.add(name);
  }
}

/**
 * Keras 2 counts the calls of a model from 1: node 0 is the one it was made with, and not in the file. Keras 3 does so in `output_layers`
 * alone, and only for Functional models.
 */
function withCallsFromZero(
  layers: readonly KerasLayer[],
  outputs: readonly NamedReference[],
): Pick<KerasModel, 'layers' | 'outputs'> {
  const models = layers.filter(({ model }) => model !== undefined);
  if (models.length === 0) return { layers, outputs };
  const calls = layers.flatMap((layer) => layer.calls);
  const isKeras3 = calls.some(({ style }) => style === 'objects');
  if (isKeras3) {
    const functional = models.filter(({ className }) => className !== 'Sequential');
    const offsets = new Map(functional.map(({ name }) => [name, 1]));
    return { layers, outputs: shiftedOutputs(outputs, offsets) };
  }
  const last = new Map<string, number>();
  const references = [...calls.flatMap((call) => referencesIn(call)), ...outputs.map(({ reference }) => reference)];
  for (const { layer, node } of references) last.set(layer, Math.max(node, last.get(layer) ?? 0));
  // A Sequential that was made without an input has no node of its own: the last call tells.
  const offset = models.filter((layer) => (last.get(layer.name) ?? 0) >= layer.calls.length);
  const offsets = new Map(offset.map(({ name }) => [name, 1]));
  return {
    layers: layers.map((layer) => ({ ...layer, calls: layer.calls.map((call) => countedFrom(call, offsets)) })),
    outputs: shiftedOutputs(outputs, offsets),
  };
}

function shiftedOutputs(outputs: readonly NamedReference[], offsets: ReadonlyMap<string, number>): NamedReference[] {
  return outputs.map(({ name, reference }) => ({ name, reference: counted(reference, offsets) }));
}
