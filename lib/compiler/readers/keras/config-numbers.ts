/** Numbers in a config: one, lists of them, or what Keras 3 writes for NumPy's arrays. */
import { isRecord } from '../../formats/json.js';
import { Tensor } from '../../ir/tensor.js';
import type { LayerConfig } from './layer-config.js';

/**
 * As float32, in the shape that the lists have.
 * @throws ReaderError LAYER_OPTION_UNSUPPORTED for what is neither
 */
export function configNumbers(config: LayerConfig, name: string, fallback?: number): Tensor {
  const value = unwrapped(config.raw(name)) ?? fallback;
  const dims = nestedDims(value);
  if (dims === undefined) throw config.refuse(name, 'It must be a number, or lists of numbers of equal lengths.');
  return Tensor.fromNumbers('float32', dims, flatNumbers(value));
}

function unwrapped(value: unknown): unknown {
  if (!isRecord(value)) return value;
  const { class_name: className, config } = value;
  const isArray = className === '__numpy__' || className === '__tensor__';
  return isArray && isRecord(config) ? config.value : value;
}

/** Sizes of nested lists of numbers; undefined for everything else. */
export function nestedDims(value: unknown): number[] | undefined {
  if (typeof value === 'number') return [];
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const inner = (value as unknown[]).map(nestedDims);
  const [first] = inner;
  const isRegular = first !== undefined && inner.every((dims) => dims !== undefined && dims.join() === first.join());
  return isRegular ? [value.length, ...first] : undefined;
}

export function flatNumbers(value: unknown): number[] {
  return (Array.isArray(value) ? (value as unknown[]).flat(Number.POSITIVE_INFINITY) : [value]) as number[];
}
