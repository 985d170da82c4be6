/** TensorFlow.js graph models: a GraphDef as JSON, its constants in shards beside it. */
import type { JsonField } from '../../formats/json-field.js';
import type { AttrValue, FunctionDef, GraphDef, NodeDef } from '../../formats/tensorflow/graph-def.js';
import { graphDefFromJson, readDataType, readShape } from '../../formats/tensorflow/graph-def-json.js';
import { readTfjsModel, type TfjsModelFile } from '../../formats/tfjs/model-json.js';
import type { TfjsWeight, TfjsWeights } from '../../formats/tfjs/weights-manifest.js';
import type { Model } from '../../ir/model.js';
import { validateStructure } from '../../ir/validation.js';
import { ReaderError } from '../reader-error.js';
import { type ConvertGraphOptions, convertGraph, type GraphSignature } from './convert-graph.js';
import { defaultSignature } from './default-signature.js';
import { inlineFunctions } from './functions/inline-functions.js';
import { nodeOf } from './functions/references.js';

/**
 * Reads model.json of a graph model with its shards. Inputs and outputs have the names of the signature, where there is one, else those of
 * placeholders and of nodes that nobody reads.
 * @throws ModelFormatError and ReaderError: JSON_…, TFJS_…, EXTERNAL_DATA_… (shards), WEIGHT_MISSING, TFJS_INITIALIZER, and what
 * `convertGraph` throws
 */
export async function readTfjsGraph(path: string): Promise<Model> {
  const file = await readTfjsModel(path);
  if (file.kind !== 'graph') {
    throw new ReaderError({
      code: 'TFJS_TOPOLOGY',
      message: `${path} holds Keras's layers, not a graph.`,
      advice: 'Read it as a TensorFlow.js layers model.',
    });
  }
  const model = convertTfjsGraph(file);
  validateStructure(model);
  return model;
}

/** @param options default as the runtime of TensorFlow.js, which has no integers of 64 bits */
export function convertTfjsGraph(file: TfjsModelFile, options: ConvertGraphOptions = { narrowIntegers: true }): Model {
  const parsed = graphDefFromJson(file.topology);
  const graph = withWeights(parsed, file.weights);
  const signature = signatureOf(file.document) ?? defaultSignature(graph);
  const roots = signature.outputs.map(({ tensor }) => nodeOf(tensor));
  const model = convertGraph(inlineFunctions(graph, roots), signature, options);
  // Last: what such a graph fills are tables of texts, and ops on texts are named with their numbers before.
  if (!file.document.field('modelInitializer').exists) return model;
  throw new ReaderError({
    code: 'TFJS_INITIALIZER',
    message: 'The model has a modelInitializer: a graph that fills tables before the model runs.',
    advice: 'Export the model without lookup tables; map texts to numbers in front of it.',
  });
}

/** Constants lie in the shards, by the names of their nodes, in functions' bodies too. A graph that has some itself means those. */
function withWeights(graph: GraphDef, weights: TfjsWeights): GraphDef {
  const fill = (node: NodeDef): NodeDef => {
    if (node.op !== 'Const') return node;
    const weight = weights.get(node.name);
    if (weight === undefined) return node;
    const value: AttrValue = { kind: 'tensor', value: tensorOf(weight, node) };
    return { ...node, attributes: new Map(node.attributes).set('value', value) };
  };
  const functions = new Map<string, FunctionDef>();
  for (const [name, definition] of graph.functions)
    functions.set(name, { ...definition, nodes: definition.nodes.map(fill) });
  return { nodes: graph.nodes.map(fill), functions };
}

/** TensorFlow.js stores integers of 64 bits as int32, and what it computes with them is int32: the graph's own type counts. */
function tensorOf(weight: TfjsWeight, node: NodeDef) {
  const { dims, bytes, strings } = weight;
  if (strings !== undefined) return { dataType: 'string', dims, bytes, strings };
  const stored = { float32: 'float', int32: 'int32', bool: 'bool', complex64: 'complex64', string: 'string' }[
    weight.dataType
  ];
  const dtype = node.attributes.get('dtype');
  if (dtype?.kind !== 'type' || dtype.value !== 'int64' || stored !== 'int32') return { dataType: stored, dims, bytes };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = BigInt64Array.from({ length: bytes.byteLength / 4 }, (_, index) =>
    BigInt(view.getInt32(4 * index, true)),
  );
  return { dataType: 'int64', dims, bytes: new Uint8Array(wide.buffer) };
}

function signatureOf(document: JsonField): GraphSignature | undefined {
  const signature = [document.field('signature'), document.field('userDefinedMetadata').field('signature')].find(
    (field) => {
      return field.field('outputs').members().length > 0;
    },
  );
  if (signature === undefined) return undefined;
  const tensor = (field: JsonField) => field.field('name').string();
  return {
    inputs: signature
      .field('inputs')
      .members()
      .map(([name, field]) => {
        const [shape, dtype] = [field.field('tensorShape'), field.field('dtype')];
        return {
          name,
          tensor: tensor(field),
          ...(dtype.exists ? { dataType: readDataType(dtype) } : {}),
          ...(shape.exists ? { shape: readShape(shape) } : {}),
        };
      }),
    outputs: signature
      .field('outputs')
      .members()
      .map(([name, field]) => ({ name, tensor: tensor(field) })),
  };
}
