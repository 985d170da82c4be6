/**
 * Converted networks are channels-last, and ONNX's convolutions channels-first: a Transpose in front of each and one behind it. Here all
 * operators between them are given their axes in the order that leaves the fewest Transposes, and of those with as few the one that moves
 * the fewest elements; the result is the smallest cut of a network (choose-sides.ts). There are never more of them than before.
 */
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import { forEachGraph } from '../../ir/traversal.js';
import type { ImmediatePass, PassResult } from '../pass.js';
import { applySides } from './apply-sides.js';
import { chooseSides } from './choose-sides.js';
import { joinGathers } from './join-gathers.js';
import { joinTransposes } from './join-transposes.js';
import { Region } from './region.js';
import { reshapeInPlaceOfTranspose } from './reshape-in-place-of-transpose.js';

/** Operators name their axes as the rules read them from this version on. */
const MINIMUM_OPSET = 13;

/** Each round saves a Transpose or elements to move; what is reached after these is valid, and kept. */
const MAXIMUM_ROUNDS = 50;

/**
 * Needs the types and shapes of values, and believes them. Results are the same bit for bit but for sums over elements that lie otherwise
 * in memory (reductions, pools over a whole picture), interpolation, and products with constant weights, which may become a Conv or a Gemm.
 * Declines for each Transpose that stays between two nodes: why.
 */
export function pushTransposes(): ImmediatePass {
  return { name: 'push-transposes', run };
}

function run(model: Model): PassResult {
  if (model.opset < MINIMUM_OPSET) {
    return {
      modified: false,
      declined: [`Transposes are pushed from opset ${MINIMUM_OPSET} on; the model has ${model.opset}.`],
    };
  }
  const declined: string[] = [];
  let modified = false;
  forEachGraph(model.graph, (graph) => {
    for (let round = 0; round < MAXIMUM_ROUNDS; round++) {
      const changes = [joinTransposes(graph), pushOnce(model, graph)];
      if (changes.includes(true)) modified = true;
      // Only then: a Transpose can be joined with others, a Reshape cannot.
      else if (reshapeInPlaceOfTranspose(model, graph) || joinGathers(model, graph)) modified = true;
      else break;
    }
    declined.push(...graph.nodes.flatMap((node) => whyItStays(graph, node) ?? []));
  });
  return { modified, declined };
}

/** Every Transpose once. @returns whether anything changed */
function pushOnce(model: Model, graph: Graph): boolean {
  const settled = new Set<Node>();
  let modified = false;
  for (const seed of graph.nodes.filter((node) => node.is('Transpose'))) {
    if (settled.has(seed) || seed.graph !== graph || !seed.is('Transpose')) continue;
    const region = new Region(graph, seed);
    const chosen = chooseSides(region);
    if (chosen === undefined) {
      for (const nodes of region.transposes.values()) for (const node of nodes) settled.add(node);
      continue;
    }
    applySides(model, region, chosen.sides, chosen.wires);
    joinTransposes(graph);
    modified = true;
  }
  return modified;
}

/** Of a Transpose between two nodes; at the inputs and outputs of a graph it is the signature's. */
function whyItStays(graph: Graph, node: Node): string | undefined {
  if (!node.is('Transpose') || node.input(0)?.producer === undefined || node.output().isGraphOutput) return undefined;
  const region = new Region(graph, node);
  const neighbours = [node.input(0)?.producer, ...node.output().consumers];
  const reasons = neighbours.flatMap((each) => (each === undefined ? [] : (region.reasons.get(each) ?? [])));
  const [first = 'pushing it on would save none', ...rest] = [...new Set(reasons)];
  return `${node.describe()} stays: ${[first, ...rest.slice(0, 1)].join(', and ')}.`;
}
