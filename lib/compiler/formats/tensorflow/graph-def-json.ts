/** A GraphDef in protobuf's JSON form, as TensorFlow.js graph models have it: bytes in base64, 64-bit integers as texts. */
import { Buffer } from 'node:buffer';
import { ModelFormatError } from '../../../errors.js';
import type { JsonField } from '../json-field.js';
import { typeBytes, typeName } from './data-type.js';
import type {
  ArgumentDef,
  AttrValue,
  FunctionDef,
  GraphDef,
  NodeDef,
  TensorFlowShape,
  TensorFlowTensor,
  TensorFlowType,
} from './graph-def.js';
import { countOf, rawElements, repeatedTensor } from './tensor-values.js';

/** Functions as attributes of functions: real graphs have one level. */
const MAX_DEPTH = 16;

/**
 * @param topology of a TensorFlow.js model, or a GraphDef by protobuf's MessageToJson
 * @throws ModelFormatError JSON_FIELD, TENSOR_SHAPE, TENSOR_TYPE, TENSOR_SIZE; messages name the field
 */
export function graphDefFromJson(topology: JsonField): GraphDef {
  const functions = new Map<string, FunctionDef>();
  for (const field of topology.field('library').field('function').list()) {
    const definition = readFunction(field);
    functions.set(definition.name, definition);
  }
  return { nodes: topology.field('node').list().map(readNode), functions };
}

function readFunction(field: JsonField): FunctionDef {
  const signature = field.field('signature');
  const returns = field.anyField('ret', 'return').members();
  return {
    name: signature.field('name').string(),
    inputs: signature.anyField('inputArg', 'input_arg').list().map(readArgument),
    outputs: signature.anyField('outputArg', 'output_arg').list().map(readArgument),
    nodes: field.anyField('nodeDef', 'node_def').list().map(readNode),
    returns: new Map(returns.map(([name, value]) => [name, value.string()])),
  };
}

function readArgument(field: JsonField): ArgumentDef {
  const type = field.field('type');
  const attribute = field.anyField('typeAttr', 'type_attr');
  return {
    name: field.field('name').string(),
    dataType: type.exists ? readType(type) : typeName(0),
    ...(attribute.exists ? { typeAttribute: attribute.string() } : {}),
  };
}

function readNode(field: JsonField): NodeDef {
  const attributes = field.anyField('attr').members();
  return {
    name: field.field('name').string(),
    op: field.field('op').string(),
    inputs: field
      .field('input')
      .list()
      .map((input) => input.string()),
    attributes: new Map(attributes.map(([name, value]) => [name, readAttribute(value, 0)])),
  };
}

function readAttribute(field: JsonField, depth: number): AttrValue {
  const [member] = field.members();
  if (member === undefined || depth > MAX_DEPTH) throw field.wrong('the value of an attribute');
  const [kind, value] = member;
  if (kind !== 'list') return readValue(kind, value, depth);
  const values = value.members().flatMap(([inner, list]) => list.list().map((each) => readValue(inner, each, depth)));
  return { kind, values };
}

function readValue(kind: string, value: JsonField, depth: number): AttrValue {
  switch (kind) {
    case 'func': {
      const members = value.field('attr').members();
      const attributes = new Map(members.map(([name, inner]) => [name, readAttribute(inner, depth + 1)]));
      return { kind: 'function', name: value.field('name').string(), attributes };
    }
    case 'placeholder':
      return { kind: 'placeholder', name: value.string() };
    case 's':
      return { kind: 'string', value: readBytes(value) };
    case 'i':
      return { kind: 'int', value: readInteger(value) };
    case 'f':
      return { kind: 'float', value: readFloat(value) };
    case 'b':
      return { kind: 'bool', value: value.boolean() };
    case 'type':
      return { kind: 'type', value: readType(value) };
    case 'shape':
      return { kind: 'shape', value: readShape(value) };
    case 'tensor':
      return { kind: 'tensor', value: readTensor(value) };
    default:
      throw value.wrong('of a known kind of attribute');
  }
}

function readBytes(value: JsonField): Uint8Array {
  // TensorFlow.js also has texts as lists of character codes.
  if (value.isList) return Uint8Array.from(value.list(), (code) => code.number());
  return new Uint8Array(Buffer.from(value.string(), 'base64'));
}

function readInteger(value: JsonField): bigint {
  const integer = value.value;
  if (typeof integer === 'number' && Number.isSafeInteger(integer)) return BigInt(integer);
  if (typeof integer === 'string' && /^-?\d{1,19}$/.test(integer)) return BigInt.asIntN(64, BigInt(integer));
  throw value.wrong('a whole number');
}

function readFloat(value: JsonField): number {
  const { value: float } = value;
  if (typeof float === 'number') return float;
  const special: Readonly<Record<string, number>> = {
    NaN: Number.NaN,
    Infinity: Number.POSITIVE_INFINITY,
    '-Infinity': Number.NEGATIVE_INFINITY,
  };
  const number = typeof float === 'string' && Object.hasOwn(special, float) ? special[float] : undefined;
  if (number === undefined) throw value.wrong('a number');
  return number;
}

/** By number or by the enum's own spelling, `DT_FLOAT`. */
function readType(value: JsonField): TensorFlowType {
  if (typeof value.value === 'number') return typeName(value.size());
  return value.string().replace(/^DT_/, '').toLowerCase();
}

/** Also of signatures' `tensorShape`. */
export function readShape(value: JsonField): TensorFlowShape {
  if (value.anyField('unknownRank', 'unknown_rank').value === true) return undefined;
  return value
    .field('dim')
    .list()
    .map((dim) => {
      const size = dim.field('size');
      const number = size.exists ? Number(readInteger(size)) : 0;
      if (number < -1 || !Number.isSafeInteger(number)) throw size.wrong('a size, or -1 for one that is open');
      return number;
    });
}

/** Also of signatures' `dtype`. */
export function readDataType(value: JsonField): TensorFlowType {
  return readType(value);
}

const LISTS: Readonly<Record<string, readonly string[]>> = {
  float: ['floatVal', 'float_val'],
  double: ['doubleVal', 'double_val'],
  int64: ['int64Val', 'int64_val'],
  uint64: ['uint64Val', 'uint64_val'],
  uint32: ['uint32Val', 'uint32_val'],
  bool: ['boolVal', 'bool_val'],
  half: ['halfVal', 'half_val'],
  bfloat16: ['halfVal', 'half_val'],
  complex64: ['scomplexVal', 'scomplex_val'],
  complex128: ['dcomplexVal', 'dcomplex_val'],
};
const INTEGERS = ['intVal', 'int_val'];

function readTensor(field: JsonField): TensorFlowTensor {
  const dataType = readType(field.field('dtype'));
  const dims = readShape(field.anyField('tensorShape', 'tensor_shape')) ?? [];
  if (dataType === 'string') {
    const strings = field.anyField('stringVal', 'string_val').list().map(readBytes);
    const last = strings.at(-1) ?? new Uint8Array();
    const count = countOf(dims, field.path);
    if (strings.length > count || count > 2 ** 20) throw field.wrong(`${count} texts`);
    while (strings.length < count) strings.push(last);
    return { dataType, dims, bytes: new Uint8Array(), strings };
  }
  const content = field.anyField('tensorContent', 'tensor_content');
  if (content.exists && content.value !== '') return repeatedTensor(dataType, dims, readBytes(content), field.path);
  const names = (Object.hasOwn(LISTS, dataType) ? LISTS[dataType] : undefined) ?? INTEGERS;
  const values = typeBytes(dataType) === 0 ? [] : field.anyField(...names).list();
  if (values.length === 0 && countOf(dims, field.path) > 0) return new ElsewhereTensor(dataType, dims, field.path);
  const numbers = values.map((value) => {
    if (typeof value.value === 'boolean') return value.value ? 1 : 0;
    return /^u?int64$/.test(dataType) ? readInteger(value) : readFloat(value);
  });
  return repeatedTensor(dataType, dims, rawElements(dataType, numbers), field.path);
}

/** TensorFlow.js keeps elements in its shards: who has them puts them in the place of this. */
class ElsewhereTensor implements TensorFlowTensor {
  constructor(
    readonly dataType: TensorFlowType,
    readonly dims: readonly number[],
    private readonly path: string,
  ) {}

  get bytes(): Uint8Array {
    throw new ModelFormatError({
      code: 'WEIGHT_MISSING',
      message: `'${this.path}' has no elements, and they are not among the weights.`,
      advice: 'The weights manifest belongs to another graph, or is damaged; export the model again.',
    });
  }
}
