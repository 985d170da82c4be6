/** A Keras model to ONNX: its layers' calls in order, each by the table of its class. */
import { isRecord } from '../../formats/json.js';
import { Graph } from '../../ir/graph.js';
import { Model } from '../../ir/model.js';
import { GraphBuilder, LOWERING_OPSET } from '../../lowering/graph-builder.js';
import { removeDeadNodes } from '../../passes/remove-dead-nodes.js';
import { atPlace } from '../at-place.js';
import { ReaderError } from '../reader-error.js';
import { callKey, callOrder } from './call-order.js';
import { addInput } from './input-layer.js';
import { isLayerTensor, type LayerTensor, tensorsIn } from './layer.js';
import { LayerConfig } from './layer-config.js';
import { layerLowering, operationLowering } from './layer-tables.js';
import { parseInnerModel } from './model-config.js';
import { Operation } from './operations/operation.js';
import { damaged, isModelClass, type KerasLayer, type KerasModel, SliceArgument, TensorReference } from './topology.js';
import { refuseUnsupportedLayers } from './unsupported-layers.js';
import type { WeightScope } from './weights/weight-scope.js';

export interface KerasSource {
  readonly model: KerasModel;
  readonly weights: WeightScope;
  readonly kerasMajorVersion: 1 | 2 | 3;
}

/** Models in models that call one another twice each grow beyond all bounds: no real one comes near this many calls. */
const MAX_CALLS = 100_000;

/**
 * Inputs and outputs are called as in Keras: by the keys of a dictionary where the model has one, else by their layers; the open first
 * dimension is 'N'.
 * @throws ReaderError LAYER_UNSUPPORTED, KERAS_CONFIG, INPUT_…, WEIGHT_…, and what layers throw, with the layer's class and path
 */
export function lowerKerasModel({ model, weights, kerasMajorVersion }: KerasSource): Model {
  refuseUnsupportedLayers(model);
  const builder = new GraphBuilder(new Model(new Graph(model.name), new Map([['', LOWERING_OPSET]])));
  const inputs = model.inputs.map(({ name, reference }) => {
    const layer = model.layers.find((each) => each.name === reference.layer);
    if (layer?.className !== 'InputLayer') throw damaged(`input '${name}' is no InputLayer`);
    return { value: addInput(builder, layer, name) };
  });
  const outputs = new ModelLowering(builder, kerasMajorVersion).model(model, weights, inputs);
  const names = uniqueNames(model.outputs.map(({ name }) => name));
  const converted = builder.finish(outputs.map(({ value }, index) => ({ name: names[index] as string, value })));
  // Weights that were rearranged while the graph was written, and calls that no output needs.
  removeDeadNodes().run(converted);
  return converted;
}

function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let suffix = 1; taken.has(unique); suffix++) unique = `${name}_${suffix}`;
    taken.add(unique);
    return unique;
  });
}

class ModelLowering {
  readonly #builder: GraphBuilder;
  readonly #version: 1 | 2 | 3;
  #calls = 0;

  constructor(builder: GraphBuilder, version: 1 | 2 | 3) {
    this.#builder = builder;
    this.#version = version;
  }

  model(model: KerasModel, weights: WeightScope, inputs: readonly LayerTensor[]): readonly LayerTensor[] {
    if (inputs.length !== model.inputs.length) {
      throw damaged(`'${model.name}' has ${model.inputs.length} inputs and is called with ${inputs.length}`);
    }
    const scopes = weights.layers(model);
    const results = new Map<string, readonly LayerTensor[]>();
    for (const [index, { reference }] of model.inputs.entries()) {
      results.set(callKey(reference), [inputs[index] as LayerTensor]);
    }
    const resolve = (argument: unknown): unknown => resolved(argument, results);
    for (const { layer, node, call } of callOrder(model, results)) {
      const positional = call.positional.map(resolve);
      const named = resolve(call.named) as Readonly<Record<string, unknown>>;
      const scope = scopes.get(layer)?.() ?? weights;
      const outputs = this.#builder.scope(layer.name, () => this.#call({ layer, positional, named, scope }));
      results.set(callKey({ layer: layer.name, node }), outputs);
    }
    return model.outputs.map(({ reference }) => tensorOf(reference, results));
  }

  #call(call: {
    readonly layer: KerasLayer;
    readonly positional: readonly unknown[];
    readonly named: Readonly<Record<string, unknown>>;
    readonly scope: WeightScope;
  }): readonly LayerTensor[] {
    const { layer, positional, named, scope } = call;
    const { className } = layer;
    if (++this.#calls > MAX_CALLS) throw damaged(`it calls layers more than ${MAX_CALLS} times`);
    // A layer may be called with its first argument by name.
    const first = positional.length > 0 ? positional[0] : firstNamed(named);
    if (layer.model !== undefined) return this.model(layer.model, scope, inputsOf(layer.model, first));
    if (layer.isOperation) {
      return atPlace(`${className} '${this.#builder.path}'`, () => this.#operation(layer, positional, named));
    }
    const rest = Object.fromEntries(positional.slice(1).map((argument, index) => [String(index + 1), argument]));
    const callArguments = withoutNulls({ ...rest, ...named });
    const config = new LayerConfig(layer.config, `${className} '${this.#builder.path}'`);
    return this.#layer({ className, config, weights: scope }, tensorsIn(first), callArguments);
  }

  #layer(
    layer: { readonly className: string; readonly config: LayerConfig; readonly weights: WeightScope },
    inputs: readonly LayerTensor[],
    callArguments: Readonly<Record<string, unknown>>,
  ): readonly LayerTensor[] {
    const { className, config, weights } = layer;
    if (isModelClass(className)) {
      const model = parseInnerModel(className, config);
      return this.model(model, weights, inputs);
    }
    const lowering = layerLowering(className);
    if (lowering === undefined) throw unknownLayer(config);
    if (config.object('dtype')?.className.includes('Quantized')) {
      throw config.refuse(
        'dtype',
        'Save the model in float32, before quantize(), and let `cdk-onnx optimize` make it small.',
      );
    }
    return atPlace(config.describes, () =>
      lowering({
        builder: this.#builder,
        className,
        path: this.#builder.path,
        config,
        inputs,
        callArguments,
        weights,
        kerasMajorVersion: this.#version,
        lowerLayer: (inner, innerInputs) => {
          return this.#layer({ ...inner, weights: inner.weights as WeightScope }, innerInputs, {});
        },
      }),
    );
  }

  #operation(
    { className, config }: KerasLayer,
    positional: readonly unknown[],
    named: Readonly<Record<string, unknown>>,
  ): readonly LayerTensor[] {
    const lowering = operationLowering(className, config);
    const describes = `${className} '${this.#builder.path}'`;
    if (lowering === undefined) throw damaged(`${describes} is no known operator`);
    const operation = new Operation(this.#builder, new LayerConfig(config, describes), positional, withoutNulls(named));
    return lowering(operation).map((value) => ({ value }));
  }
}

/** One inside another layer: those of the model itself were looked through before. */
function unknownLayer(config: LayerConfig): ReaderError {
  return new ReaderError({
    code: 'LAYER_UNSUPPORTED',
    message: `${config.describes}: layers of this class are not supported.`,
    advice: 'Put a built-in layer in its place, and save the model again.',
  });
}

/** Lists and objects keep their form; references become tensors. */
function resolved(argument: unknown, results: ReadonlyMap<string, readonly LayerTensor[]>): unknown {
  if (argument instanceof TensorReference) return tensorOf(argument, results);
  if (argument instanceof SliceArgument) {
    const { start, stop, step } = argument;
    return new SliceArgument(resolved(start, results), resolved(stop, results), resolved(step, results));
  }
  if (Array.isArray(argument)) return argument.map((each) => resolved(each, results));
  if (!isRecord(argument)) return argument;
  return Object.fromEntries(Object.entries(argument).map(([key, each]) => [key, resolved(each, results)]));
}

function tensorOf(reference: TensorReference, results: ReadonlyMap<string, readonly LayerTensor[]>): LayerTensor {
  const tensor = results.get(callKey(reference))?.[reference.tensor];
  if (tensor !== undefined) return tensor;
  throw damaged(`call ${reference.node} of '${reference.layer}' has no output ${reference.tensor}`);
}

/** A model that is called with a dictionary takes its inputs by name, else in order. */
function inputsOf(model: KerasModel, argument: unknown): readonly LayerTensor[] {
  if (!isLayerTensor(argument) && isRecord(argument)) {
    const byName = model.inputs.map(({ name }) => argument[name]);
    if (byName.every(isLayerTensor)) return byName;
  }
  return tensorsIn(argument);
}

/** The argument that comes first in the signatures of layers and functions, else the first that the file has. */
function firstNamed(named: Readonly<Record<string, unknown>>): unknown {
  const name = ['inputs', 'query', 'x'].find((each) => named[each] !== undefined);
  return name === undefined ? Object.values(named)[0] : named[name];
}

function withoutNulls(named: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== null && value !== undefined));
}
