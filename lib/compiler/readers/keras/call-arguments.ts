/** How layers are called: `inbound_nodes` of Keras 1 and 2 (lists) and of Keras 3 (`__keras_tensor__` in arguments). */
import { isRecord } from '../../formats/json.js';
import {
  type CallArguments,
  damaged,
  ELLIPSIS,
  type NamedReference,
  referencesIn,
  SliceArgument,
  TensorReference,
} from './topology.js';

/** @param what the layer, for messages */
export function parseInboundNode(node: unknown, what: string): CallArguments {
  if (!isRecord(node) || (!('args' in node) && !('kwargs' in node))) return parseListNode(node, what);
  const positional = revived(node.args ?? []);
  const named = revived(node.kwargs ?? {});
  if (!Array.isArray(positional) || !isRecord(named)) throw damaged(`a call of ${what} has no list of arguments`);
  return { style: 'objects', positional, named };
}

/** Keras 3's objects as what they stand for. */
function revived(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revived);
  if (!isRecord(value)) return value;
  const config = isRecord(value.config) ? value.config : {};
  switch (value.class_name) {
    case '__keras_tensor__':
      return reference(config.keras_history) ?? value;
    case '__numpy__':
    case '__tensor__':
      return config.value;
    case '__ellipsis__':
      return ELLIPSIS;
    case '__slice__':
      return new SliceArgument(config.start, config.stop, config.step);
    default:
      return mapRecord(value, revived);
  }
}

function mapRecord(record: Readonly<Record<string, unknown>>, map: (value: unknown) => unknown) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

/** `[layer, node, tensor]`, perhaps with the call's named arguments behind it. */
function reference(value: unknown): TensorReference | undefined {
  if (!Array.isArray(value) || value.length < 3 || value.length > 4) return undefined;
  const [layer, node, tensor] = value as unknown[];
  if (typeof layer !== 'string' || !isIndex(node) || !isIndex(tensor)) return undefined;
  return new TensorReference(layer, node, tensor);
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Where a call's first argument is no tensor: `2 - x`. */
const CONSTANT = '_CONSTANT_VALUE';

/** `[[layer, node, tensor, named], …]`, or one such list, or an object of them. */
function parseListNode(node: unknown, what: string): CallArguments {
  let named: Record<string, unknown> = {};
  const parse = (value: unknown): unknown => {
    if (isRecord(value)) return mapRecord(value, parse);
    if (!Array.isArray(value)) throw damaged(`a call of ${what} names no layer`);
    const isConstant = value[0] === CONSTANT && value[1] === -1;
    const tensor = isConstant ? value[2] : reference(value);
    if (tensor === undefined) return value.map(parse);
    if (isRecord(value[3])) named = { ...named, ...mapRecord(value[3], revivedList) };
    return tensor;
  };
  const first = parse(node);
  const inputs = Array.isArray(first) && first.length === 1 ? first[0] : first;
  return { style: 'lists', positional: [inputs], named };
}

/** Named arguments of Keras 2: tensors are lists like any other, told by their form. */
function revivedList(value: unknown): unknown {
  if (Array.isArray(value)) return reference(value) ?? value.map(revivedList);
  if (!isRecord(value)) return value;
  if ('start' in value && 'stop' in value && 'step' in value) {
    return new SliceArgument(value.start, value.stop, value.step);
  }
  return mapRecord(value, revivedList);
}

/** A call whose references count a model's calls from `offsets` on. */
export function countedFrom(call: CallArguments, offsets: ReadonlyMap<string, number>): CallArguments {
  if (![...referencesIn(call.positional), ...referencesIn(call.named)].some(({ layer }) => offsets.has(layer)))
    return call;
  const shift = (argument: unknown): unknown => {
    if (argument instanceof TensorReference) return counted(argument, offsets);
    if (Array.isArray(argument)) return argument.map(shift);
    return isRecord(argument) && !(argument instanceof SliceArgument) ? mapRecord(argument, shift) : argument;
  };
  return { style: call.style, positional: call.positional.map(shift), named: mapRecord(call.named, shift) };
}

export function counted(reference: TensorReference, offsets: ReadonlyMap<string, number>): TensorReference {
  const { layer, node, tensor } = reference;
  return new TensorReference(layer, Math.max(0, node - (offsets.get(layer) ?? 0)), tensor);
}

/**
 * `input_layers` and `output_layers`: one reference, a list of them, or an object whose keys name them. Names are keys where there are
 * some, else the layers'.
 */
export function layerReferences(value: unknown, what: string): NamedReference[] {
  const found: NamedReference[] = [];
  const walk = (each: unknown, key: string | undefined): void => {
    const tensor = reference(each);
    if (tensor !== undefined) found.push({ name: key ?? tensor.layer, reference: tensor });
    else if (Array.isArray(each)) for (const part of each) walk(part, undefined);
    // Keras numbers what is in a dictionary by its sorted keys.
    else if (isRecord(each)) for (const name of Object.keys(each).sort()) walk(each[name], name);
    else throw damaged(`${what} names no layer`);
  };
  walk(value, undefined);
  if (found.length === 0) throw damaged(`${what} is empty`);
  return found;
}
