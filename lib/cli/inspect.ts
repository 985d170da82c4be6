/** `cdk-onnx inspect`: what is in a model, without running it. */
import { sourceBytes } from '../artifact/source-content.js';
import type { Model } from '../compiler/ir/model.js';
import { printModel, typeText } from '../compiler/ir/print.js';
import { countOperators, type Weight, weightsOf } from '../compiler/ir/summary.js';
import { findProblems, type Problem } from '../compiler/ir/validation.js';
import type { Value } from '../compiler/ir/value.js';
import { openModel } from '../compiler/readers/read-model.js';
import type { Command } from './command.js';
import { describe } from './inspection-text.js';

export interface InspectedValue {
  readonly name: string;
  /** Element type, or the kind of container; null if the file does not say. */
  readonly type: string | null;
  /** null for an unknown rank; a dimension is null if unknown, a string if symbolic. */
  readonly shape: readonly (number | string | null)[] | null;
}

export interface InspectedWeight {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Stored beside the model file. */
  readonly external: boolean;
}

export interface Inspection {
  readonly path: string;
  readonly format: string;
  readonly irVersion: number;
  /** Domain to version; the standard operators are 'ai.onnx'. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly producer: { readonly name: string; readonly version: string };
  /** Those that a caller must or may pass; constants that older files list as inputs are left out. */
  readonly inputs: readonly InspectedValue[];
  readonly outputs: readonly InspectedValue[];
  /** Operator to count, most frequent first. */
  readonly operators: Readonly<Record<string, number>>;
  readonly functions: readonly { readonly name: string; readonly domain: string; readonly nodes: number }[];
  /** Bytes of the source's files, of all weights, and of those weights that lie beside the file. */
  readonly sizes: { readonly file: number; readonly weights: number; readonly external: number };
  /** Elements of all weights. */
  readonly parameters: number;
  /** At most ten. */
  readonly largestWeights: readonly InspectedWeight[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Why it cannot be served as it is; empty if it can. */
  readonly problems: readonly Problem[];
}

export interface InspectOptions {
  /** One JSON object (an `Inspection`) in place of tables. Default false. */
  readonly json?: boolean;
  /** The printed graph in place of the summary. Default false. */
  readonly graph?: boolean;
  /** Which signature of a SavedModel. Default 'serving_default', else the only one. */
  readonly signature?: string;
}

export const inspectCommand: Command = {
  name: 'inspect',
  summary: 'Shows what is in a model: inputs, outputs, operators, opsets, sizes, the largest weights.',
  positionals: '<model>',
  options: {
    json: { type: 'boolean', description: 'print one JSON object on stdout' },
    graph: { type: 'boolean', description: 'print the whole graph as text' },
    signature: { type: 'string', placeholder: 'NAME', description: 'which signature of a SavedModel' },
  },
  async run({ positionals: [path = ''], options }) {
    const text = await inspect(path, {
      json: options.json === true,
      graph: options.graph === true,
      ...(options.signature === undefined ? {} : { signature: String(options.signature) }),
    });
    process.stdout.write(`${text}\n`);
    return 0;
  },
};

/**
 * The text that the command prints, without a final newline. onnxruntime is not needed.
 * @throws ModelFormatError, GraphError for a file that cannot be read or is no well-formed graph
 */
export async function inspect(path: string, options: InspectOptions = {}): Promise<string> {
  if (options.graph === true) {
    await using opened = await openModel(path, options);
    return printModel(opened.model).trimEnd();
  }
  const inspection = await inspectModel(path, options);
  return options.json === true ? JSON.stringify(inspection) : describe(inspection);
}

export async function inspectModel(path: string, options: Pick<InspectOptions, 'signature'> = {}): Promise<Inspection> {
  await using opened = await openModel(path, options);
  const { model, reader } = opened;
  return { path, format: reader.name, ...inspectionOf(model, sourceBytes(path)) };
}

function inspectionOf(model: Model, file: number): Omit<Inspection, 'path' | 'format'> {
  const weights = weightsOf(model).sort(
    (a, b) => b.tensor.byteLength - a.tensor.byteLength || (a.name < b.name ? -1 : 1),
  );
  const sum = (list: readonly Weight[], of: (weight: Weight) => number) =>
    list.reduce((total, weight) => total + of(weight), 0);
  const external = weights.filter(({ tensor }) => tensor.storage.kind === 'external');
  const { graph, origin } = model;
  return {
    irVersion: model.irVersion,
    opsets: record([...model.opsetImports].map(([domain, version]) => [domain || 'ai.onnx', version])),
    producer: { name: origin?.producerName ?? '', version: origin?.producerVersion ?? '' },
    inputs: graph.inputs.filter((value) => !graph.initializers.has(value)).map(inspectedValue),
    outputs: graph.outputs.map(inspectedValue),
    operators: record([...countOperators(model)]),
    functions: model.functions.map(({ name, domain, body }) => ({ name, domain, nodes: body.nodes.length })),
    sizes: {
      file,
      weights: sum(weights, ({ tensor }) => tensor.byteLength),
      external: sum(external, ({ tensor }) => tensor.byteLength),
    },
    parameters: sum(weights, ({ tensor }) => tensor.count),
    largestWeights: weights.slice(0, 10).map(({ name, tensor }) => ({
      name,
      type: tensor.elementType,
      shape: tensor.dims,
      bytes: tensor.byteLength,
      external: tensor.storage.kind === 'external',
    })),
    metadata: record((origin?.metadataProps ?? []).map(({ key, value }) => [key, value])),
    problems: findProblems(model),
  };
}

function inspectedValue({ name, type }: Value): InspectedValue {
  if (type === undefined) return { name, type: null, shape: null };
  if (type.kind === 'opaque') return { name, type: typeText(type), shape: null };
  return { name, type: type.elementType, shape: type.shape?.map((dim) => dim ?? null) ?? null };
}

/** Names come from the file: one called `__proto__` is a key like any other. */
function record<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(entries);
}
