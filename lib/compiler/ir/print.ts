/**
 * A model as text: stable, short, for snapshots and for reading. The same model prints the same on every machine.
 *
 * ```
 * model      = "model" "ir" N { ", " domain " " version } NL graph { NL function }
 * graph      = ["graph "] NAME "(" values ")" " {" NL { line } "}"
 * function   = "function " [domain "."] NAME [":" overload] "(" values ")" " {" NL { line } "}"
 * line       = INDENT value " = " tensor | INDENT outputs " = " node | INDENT "return " values
 * node       = [domain "."] OPERATOR [":" overload] [ "<" NAME "=" attribute { ", " … } ">" ] "(" names ")"
 * value      = "%" NAME [": " type]         names other than letters, digits and _ . / : - are JSON strings
 * type       = elementType "[" dims "]"      "?" an unknown dimension, a name a symbolic one, "[…]" an unknown rank
 * tensor     = elementType "[" dims "] " ( values | "#" sha256 )   up to 8 elements are written out, of others 12 digits of the digest
 * attribute  = number | JSON string | "[" … "]" (over 32 elements: their number and digest) | tensor | graph | "@" NAME (a reference to the function's attribute)
 * ```
 * Left-out optional inputs and outputs are `_`. Initializers come first, in the order of the file, those that a caller may override
 * among the graph's inputs too. Node names and documentation are left out.
 */
import { createHash } from 'node:crypto';
import type { Attribute } from './attribute.js';
import type { Graph } from './graph.js';
import type { Model, ModelFunction } from './model.js';
import type { Node } from './node.js';
import type { Tensor } from './tensor.js';
import type { Value, ValueType } from './value.js';

/** External tensors are read to take their digest, a piece at a time. */
export function printModel(model: Model): string {
  const imports = [...model.opsetImports].map(([domain, version]) => `${domain || 'ai.onnx'} ${version}`);
  const lines = [`model ir ${[model.irVersion, ...imports].join(', ')}`, ...graphLines(model.graph, 'graph ')];
  for (const fn of model.functions) lines.push(...functionLines(fn));
  return `${lines.join('\n')}\n`;
}

/** One graph, subgraphs included, without the model's header. */
export function printGraph(graph: Graph): string {
  return `${graphLines(graph, 'graph ').join('\n')}\n`;
}

function functionLines(fn: ModelFunction): string[] {
  const overload = fn.overload === '' ? '' : `:${fn.overload}`;
  const domain = fn.domain === '' ? '' : `${fn.domain}.`;
  return graphLines(fn.body, `function ${domain}`, overload);
}

function graphLines(graph: Graph, keyword: string, suffix = ''): string[] {
  const lines = [`${keyword}${name(graph.name)}${suffix}(${graph.inputs.map(typedValue).join(', ')}) {`];
  for (const value of graph.initializers) {
    if (value.initializer !== undefined) lines.push(`  %${name(value.name)} = ${tensorText(value.initializer)}`);
  }
  for (const value of graph.sparseInitializers.keys()) lines.push(`  %${name(value.name)} = sparse`);
  for (const node of graph.nodes) lines.push(...nodeLines(node).map((line) => `  ${line}`));
  lines.push(`  return ${graph.outputs.map(typedValue).join(', ')}`, '}');
  return lines;
}

function nodeLines(node: Node): string[] {
  const outputs = node.outputs.map((value) => (value === undefined ? '_' : `%${name(value.name)}`)).join(', ');
  const domain = node.domain === '' ? '' : `${node.domain}.`;
  const overload = node.overload === '' ? '' : `:${node.overload}`;
  const attributes = [...node.attributes]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([key, value]) => `${name(key)}=${attributeText(value)}`);
  const listed = attributes.length === 0 ? '' : `<${attributes.join(', ')}>`;
  const inputs = node.inputs.map((value) => (value === undefined ? '_' : `%${name(value.name)}`)).join(', ');
  const head = outputs === '' ? '' : `${outputs} = `;
  return `${head}${domain}${name(node.opType)}${overload}${listed}(${inputs})`.split('\n');
}

function attributeText(attribute: Attribute): string {
  switch (attribute.kind) {
    case 'float':
      return floatText(attribute.value);
    case 'int':
      return String(attribute.value);
    case 'string':
      return bytesText(attribute.value);
    case 'tensor':
      return tensorText(attribute.value);
    case 'graph':
      return graphLines(attribute.value, '').join('\n');
    case 'floats':
      return listText(attribute.value, floatText);
    case 'ints':
      return listText(attribute.value, String);
    case 'strings':
      return listText(attribute.value, bytesText);
    case 'tensors':
      return `[${attribute.value.map(tensorText).join(', ')}]`;
    case 'graphs':
      return `[${attribute.value.map((graph) => graphLines(graph, '').join('\n')).join(', ')}]`;
    case 'reference':
      return `@${name(attribute.value)}`;
    case 'opaque':
      return 'opaque';
  }
}

function typedValue(value: Value): string {
  const text = `%${name(value.name)}`;
  return value.type === undefined ? text : `${text}: ${typeText(value.type)}`;
}

/** "float32[1,3,height,?]", "sequence" and the like for types that are carried along untouched. */
export function typeText(type: ValueType): string {
  if (type.kind === 'opaque') return type.proto.value.case?.replace(/Type$/, '') ?? 'opaque';
  if (type.shape === undefined) return `${type.elementType}[…]`;
  return `${type.elementType}[${type.shape.map((dim) => (typeof dim === 'string' ? name(dim) : (dim ?? '?'))).join(',')}]`;
}

const WRITTEN_OUT = 8;

function tensorText(tensor: Tensor): string {
  const type = `${tensor.elementType}[${tensor.dims.join(',')}]`;
  return `${type} ${tensor.count <= WRITTEN_OUT ? (elementsText(tensor) ?? digest(tensor)) : digest(tensor)}`;
}

/** Undefined for types whose elements have no plain form. */
function elementsText(tensor: Tensor): string | undefined {
  if (tensor.storage.kind === 'strings') return `[${tensor.storage.strings.map(bytesText).join(', ')}]`;
  if (tensor.elementType === 'int64' || tensor.elementType === 'uint64') {
    return `[${Array.from(tensor.typed() as BigInt64Array, String).join(', ')}]`;
  }
  const plain = /^(float(16|32|64)|bfloat16|u?int(8|16|32)|bool)$/;
  const text = tensor.elementType === 'float64' ? numberText : floatText;
  return plain.test(tensor.elementType) ? `[${tensor.numbers().map(text).join(', ')}]` : undefined;
}

function digest(tensor: Tensor): string {
  const hash = createHash('sha256');
  if (tensor.storage.kind === 'strings') {
    for (const string of tensor.storage.strings) hash.update(`${string.byteLength}:`).update(string);
  } else for (const chunk of tensor.chunks(8 * 2 ** 20)) hash.update(chunk);
  return `#${hash.digest('hex').slice(0, 12)}`;
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The shortest decimal that is the same float32; also for narrower floats, which float32 holds. */
function floatText(value: number): string {
  if (value === 0 || Math.fround(value) !== value) return numberText(value);
  for (let digits = 1; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return numberText(shorter);
  }
  return numberText(Number(value.toPrecision(9)));
}

/** Long lists by their length and digest. */
function listText<T>(values: readonly T[], text: (value: T) => string): string {
  const texts = values.map(text);
  if (texts.length <= WRITTEN_OUT * 4) return `[${texts.join(', ')}]`;
  const hash = createHash('sha256').update(texts.join(' '));
  return `[${texts.length} elements #${hash.digest('hex').slice(0, 12)}]`;
}

function bytesText(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  return printable(JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text));
}

function name(text: string): string {
  return /^[\w./:-]+$/.test(text) ? text : printable(JSON.stringify(text));
}

/** Without characters that would steer a terminal; files are hostile. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}
