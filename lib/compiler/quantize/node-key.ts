/** Names for nodes that outlive the file they were read from: a lock finds its nodes again by them. */
import { createHash, type Hash } from 'node:crypto';
import type { NodeKey } from '../../artifact/recipe.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import type { Tensor } from '../ir/tensor.js';
import { forEachGraph } from '../ir/traversal.js';
import { constantBehind } from '../passes/inferred-type.js';

/** Tensors never change, so that a digest holds as long as its tensor. */
const digests = new WeakMap<Tensor, string>();

const CHUNK_BYTES = 1 << 20;

/** The node's first output, its op type and the sha256 over its constant inputs; the same whether they are initializers or Constant nodes. */
export function nodeKeyOf(node: Node): NodeKey {
  return { output: outputOf(node), opType: node.opType, weights: weightsOf(node) };
}

/** As a string, for maps. */
export function keyText({ output, opType, weights }: NodeKey): string {
  return JSON.stringify([output, opType, weights]);
}

/** sha256 of a tensor's element type, dims and elements; read once. */
export function tensorDigest(tensor: Tensor): string {
  const known = digests.get(tensor);
  if (known !== undefined) return known;
  const hash = createHash('sha256').update(`${tensor.elementType} ${tensor.dims.join('x')}\n`);
  addElements(hash, tensor);
  const digest = hash.digest('hex');
  digests.set(tensor, digest);
  return digest;
}

/**
 * The nodes of a model, those of subgraphs included, that keys name; undefined for a key that names none. Where several nodes have one
 * key (branches that are copies of each other), each key gets the next of them.
 */
export function findNodes(model: Model, keys: readonly NodeKey[]): (Node | undefined)[] {
  const candidates = new Map<string, Node[]>();
  forEachGraph(model.graph, (graph) => {
    for (const node of graph.nodes) {
      const name = placeOf({ output: outputOf(node), opType: node.opType });
      const alike = candidates.get(name);
      if (alike === undefined) candidates.set(name, [node]);
      else alike.push(node);
    }
  });
  return keys.map((key) => {
    const alike = candidates.get(placeOf(key)) ?? [];
    // Weights are read only where the rest agrees.
    const index = alike.findIndex((node) => weightsOf(node) === key.weights);
    return index < 0 ? undefined : alike.splice(index, 1)[0];
  });
}

function placeOf({ output, opType }: Pick<NodeKey, 'output' | 'opType'>): string {
  return JSON.stringify([output, opType]);
}

function outputOf(node: Node): string {
  return node.outputs.find((value) => value !== undefined)?.name ?? '';
}

function weightsOf(node: Node): string {
  const hash = createHash('sha256');
  for (let index = 0; index < node.inputs.length; index++) {
    const tensor = constantBehind(node, index);
    if (tensor !== undefined) hash.update(`${index} ${tensorDigest(tensor)}\n`);
  }
  return hash.digest('hex');
}

function addElements(hash: Hash, tensor: Tensor): void {
  if (tensor.storage.kind === 'strings') {
    for (const string of tensor.storage.strings) hash.update(`${string.byteLength} `).update(string);
  } else for (const chunk of tensor.chunks(CHUNK_BYTES)) hash.update(chunk);
}
