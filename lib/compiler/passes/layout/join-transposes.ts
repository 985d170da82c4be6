/** Transposes that follow one another become one, those that undo one another none, and equal ones are made once. */
import { attribute } from '../../ir/attribute.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import { inTurn, isSorted, range } from './order.js';
import { canReorder, reorderTensor } from './reorder-tensor.js';

/** Constants up to this size are transposed where others read them as they are. */
const MAXIMUM_COPY_BYTES = 65_536;

/** @returns whether anything changed */
export function joinTransposes(graph: Graph): boolean {
  let modified = false;
  const made = new Map<string, Node>();
  const numbers = new Map<unknown, number>();
  const numberOf = (value: unknown) => {
    const number = numbers.get(value) ?? numbers.size;
    numbers.set(value, number);
    return number;
  };
  for (const node of [...graph.nodes]) {
    if (!node.is('Transpose')) continue;
    const simplified = [spellOut, joinWithProducer, bypass, transposeConstant].map((step) => step(node, graph));
    modified = simplified.includes(true) || modified;
    if (node.graph !== graph || !node.is('Transpose') || node.outputs.length === 0) continue;
    const key = `${numberOf(node.input(0))} ${node.ints('perm')}`;
    const first = made.get(key);
    if (first === undefined) made.set(key, node);
    else if (!node.output().isGraphOutput || node.output().consumers.length > 0) {
      modified = node.output().consumers.length > 0 || modified;
      node.output().replaceUsesInNodes(first.output());
    }
  }
  return removeUnused(graph) || modified;
}

/** Without `perm` the axes come in reverse. */
function spellOut(node: Node): boolean {
  const rank = node.input(0)?.rank ?? node.output().rank;
  if (node.attributes.has('perm') || rank === undefined) return false;
  node.attributes.set('perm', attribute.ints(range(0, rank).reverse()));
  return true;
}

function joinWithProducer(node: Node, graph: Graph): boolean {
  const producer = node.input(0)?.producer;
  const [first, second] = [producer?.ints('perm'), node.ints('perm')];
  if (!producer?.is('Transpose') || producer.graph !== graph) return false;
  if (first === undefined || second === undefined || first.length !== second.length) return false;
  node.setInput(0, producer.input(0));
  node.attributes.set('perm', attribute.ints(inTurn(first, second)));
  return true;
}

function bypass(node: Node): boolean {
  const order = node.ints('perm');
  const input = node.input(0);
  if (order === undefined || input === undefined || !isSorted(order)) return false;
  node.output().replaceUsesInNodes(input);
  node.attributes.delete('perm');
  node.opType = 'Identity';
  return true;
}

function transposeConstant(node: Node, graph: Graph): boolean {
  const [constant, order] = [node.constantInput(0), node.ints('perm')];
  if (!node.is('Transpose') || constant === undefined || order?.length !== constant.dims.length) return false;
  const output = node.output();
  const isShared = (node.input(0)?.uses.size ?? 0) > 1 && constant.byteLength > MAXIMUM_COPY_BYTES;
  if (output.isGraphOutput || isShared || !canReorder(constant)) return false;
  const tensor = reorderTensor(constant, order);
  node.setOutputs([]);
  output.initializer = tensor;
  output.type = { kind: 'tensor', elementType: tensor.elementType, shape: tensor.dims };
  graph.initializers.add(output);
  graph.remove(node);
  return true;
}

/** Backwards, so that a chain that nobody reads goes as a whole. */
function removeUnused(graph: Graph): boolean {
  const unused = new Set<Node>();
  for (const node of [...graph.nodes].reverse()) {
    if (!node.is('Transpose', 'Identity')) continue;
    const uses = [...node.output().uses];
    if (uses.every((use) => use.kind === 'input' && unused.has(use.node))) unused.add(node);
  }
  if (unused.size > 0) graph.remove(...unused);
  return unused.size > 0;
}
