/** The weights, and the shapes and bounds, of a graph without some of its units. */
import { elementBits } from '../ir/element-type.js';
import { Tensor } from '../ir/tensor.js';
import type { Value } from '../ir/value.js';
import type { DependencyGraph } from './dependency-graph.js';

/**
 * @param removed stand-ins (`Units.find`) of units that may be removed, and not all of any group
 * @returns by name, every constant that changes; the rest of the graph stays as it is but for `replaceWeights`' own care of groups
 */
export function constantsWithout(graph: DependencyGraph, removed: ReadonlySet<number>): Map<string, Tensor> {
  if (removed.size === 0) return new Map();
  const stays = (id: number) => !removed.has(graph.units.find(id));
  const constants = new Map<string, Tensor>();
  const keep = new Map<Value, (readonly number[] | undefined)[]>();
  for (const { value, axis, ids } of graph.uses) {
    const staying = Array.from(ids.keys()).filter((index) => stays(ids[index] ?? 0));
    if (staying.length === ids.length) continue;
    const axes = keep.get(value) ?? [];
    axes[axis] = staying;
    keep.set(value, axes);
  }
  for (const [value, axes] of keep) {
    if (value.initializer !== undefined) constants.set(value.name, takeIndices(value.initializer, axes));
  }
  for (const { value, compute } of graph.replacements) {
    const before = value.initializer;
    const numbers = compute(stays);
    if (before === undefined || String(numbers) === String(before.numbers())) continue;
    constants.set(value.name, Tensor.fromNumbers(before.elementType, [numbers.length], numbers));
  }
  for (const { value, index, compute } of graph.edits) {
    const tensor = constants.get(value.name) ?? value.initializer;
    if (tensor === undefined) continue;
    const number = compute(stays);
    // Bounds may lie beyond what a number holds: elements that stay are kept as they are.
    const elements = tensor.typed().slice() as BigInt64Array | Int32Array;
    if (Number(elements[index]) === number) continue;
    if (elements instanceof BigInt64Array) elements[index] = BigInt(number);
    else elements[index] = number;
    constants.set(value.name, Tensor.fromTyped(tensor.elementType, tensor.dims, elements));
  }
  return constants;
}

/** The part of a tensor at the given indices of each axis; undefined takes an axis whole. */
export function takeIndices(tensor: Tensor, indices: readonly (readonly number[] | undefined)[]): Tensor {
  const size = elementBits(tensor.elementType) / 8;
  let bytes: Uint8Array = tensor.bytes();
  const dims = [...tensor.dims];
  for (const [axis, taken] of indices.entries()) {
    if (taken === undefined) continue;
    const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1) * size;
    const outer = dims.slice(0, axis).reduce((a, b) => a * b, 1);
    const before = dims[axis] ?? 0;
    const result = new Uint8Array(outer * taken.length * inner);
    let at = 0;
    for (let block = 0; block < outer; block++) {
      for (const index of taken) {
        const start = (block * before + index) * inner;
        result.set(bytes.subarray(start, start + inner), at);
        at += inner;
      }
    }
    bytes = result;
    dims[axis] = taken.length;
  }
  return new Tensor(tensor.elementType, dims, { kind: 'bytes', bytes });
}
