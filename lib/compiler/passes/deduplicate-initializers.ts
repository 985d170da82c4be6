/** Initializers that hold the same elements become one. */
import { createHash } from 'node:crypto';
import type { Graph } from '../ir/graph.js';
import type { Tensor } from '../ir/tensor.js';
import { forEachGraph } from '../ir/traversal.js';
import type { Value } from '../ir/value.js';
import type { ImmediatePass } from './pass.js';

/**
 * Same element type, dimensions and bytes (so 0 and -0 are two, a NaN is equal to itself). A subgraph's initializer also gives way to
 * one of a graph around it. Graph outputs keep theirs, and initializers that a caller may override are left alone.
 */
export function deduplicateInitializers(): ImmediatePass {
  return {
    name: 'deduplicate-initializers',
    run(model) {
      const declined: string[] = [];
      const index = new InitializerIndex();
      let modified = false;
      forEachGraph(model.graph, (graph) => {
        // Outputs first, so that the others can become them.
        const candidates = [...graph.initializers].filter(
          (value) => !graph.hasInput(value) && value.initializer !== undefined,
        );
        candidates.sort((a, b) => Number(b.isGraphOutput) - Number(a.isGraphOutput));
        const repeated: Value[] = [];
        for (const value of candidates) {
          const first = index.findOrAdd(value, graph);
          if (first === value) continue;
          if (value.isGraphOutput) {
            declined.push(`Initializer '${value.name}' repeats '${first.name}', and both are outputs.`);
            continue;
          }
          value.replaceUsesInNodes(first);
          repeated.push(value);
        }
        for (const value of repeated) graph.initializers.delete(value);
        modified ||= repeated.length > 0;
      });
      return { modified, declined };
    },
  };
}

interface Entry {
  readonly value: Value;
  readonly tensor: Tensor;
  readonly graph: Graph;
}

/** Initializers of one element type, dimensions and length. */
interface Alike {
  /** The first one, as long as it is the only one. */
  waiting: Entry | undefined;
  readonly byDigest: Map<string, Entry[]>;
}

/** Hashes only what has a namesake in type, dimensions and length: most weights of a model are never read. */
class InitializerIndex {
  readonly #alike = new Map<string, Alike>();

  /** An initializer with the same content that `graph` can see, else `value` itself, which is remembered. */
  findOrAdd(value: Value, graph: Graph): Value {
    const tensor = value.initializer;
    if (tensor === undefined) return value;
    const key = `${tensor.elementType} ${tensor.dims.join('x')} ${tensor.byteLength}`;
    const alike: Alike = this.#alike.get(key) ?? { waiting: undefined, byDigest: new Map<string, Entry[]>() };
    this.#alike.set(key, alike);
    if (alike.waiting === undefined && alike.byDigest.size === 0) {
      alike.waiting = { value, tensor, graph };
      return value;
    }
    if (alike.waiting !== undefined) {
      alike.byDigest.set(digestOf(alike.waiting.tensor), [alike.waiting]);
      alike.waiting = undefined;
    }
    const digest = digestOf(tensor);
    const equal = alike.byDigest.get(digest) ?? [];
    alike.byDigest.set(digest, equal);
    const first = equal.find((entry) => isVisible(entry.graph, graph));
    if (first !== undefined) return first.value;
    equal.push({ value, tensor, graph });
    return value;
  }
}

/** Whether values of `outer` can be used in `graph`. */
function isVisible(outer: Graph, graph: Graph): boolean {
  for (let scope: Graph | undefined = graph; scope !== undefined; scope = scope.parent?.graph) {
    if (scope === outer) return true;
  }
  return false;
}

function digestOf(tensor: Tensor): string {
  const hash = createHash('sha256');
  if (tensor.storage.kind !== 'strings') return hash.update(tensor.bytes()).digest('hex');
  for (const string of tensor.storage.strings) hash.update(`${string.byteLength} `).update(string);
  return hash.digest('hex');
}
