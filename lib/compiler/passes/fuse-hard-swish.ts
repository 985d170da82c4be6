/**
 * x · clip(x + 3, 0, 6) / 6, in the spellings that exporters use, to HardSwish; the gate alone to HardSigmoid.
 * onnxruntime leaves its fast convolution layout for every Add, Clip and Div with a scalar, and stays in it for these.
 */
import { attribute } from '../ir/attribute.js';
import type { Model } from '../ir/model.js';
import { Node } from '../ir/node.js';
import { graphsOf } from '../ir/traversal.js';
import { Value } from '../ir/value.js';
import { inferElementType } from './inferred-type.js';
import type { Pass, PassResult } from './pass.js';
import { clipBounds, isNearly, productOf, replaceNodes, scalarOperation } from './pattern.js';

/** clip(slope · x + offset) to [0, 1], times `factor`. */
interface Gate {
  readonly x: Value;
  readonly output: Value;
  readonly nodes: readonly Node[];
  /** What the output must still be multiplied by to lie in [0, 1]. */
  readonly factor: number;
}

const SIXTH = 1 / 6;

/** HardSwish needs opset 14; before that, HardSigmoid · x takes its place, which onnxruntime runs as fast. */
export function fuseHardSwish(): Pass {
  return { name: 'fuse-hard-swish', run };
}

function run(model: Model): PassResult {
  const declined: string[] = [];
  let modified = false;
  for (const graph of graphsOf(model)) {
    for (const node of [...graph.nodes]) {
      if (node.graph !== graph) continue;
      const gate = gateEndingAt(node);
      if (gate === undefined) continue;
      const reason = fuse(model, gate);
      if (reason === undefined) modified = true;
      else if (reason !== '') declined.push(`${node.describe()}: ${reason}`);
    }
  }
  return { modified, declined };
}

function gateEndingAt(node: Node): Gate | undefined {
  if (node.is('HardSigmoid')) {
    const x = node.input(0);
    const sixth = isNearly(node.float('alpha', 0.2), SIXTH) && node.float('beta', 0.5) === 0.5;
    return x !== undefined && sixth ? { x, output: node.output(), nodes: [node], factor: 1 } : undefined;
  }
  const clip = clipToSix(node);
  const shift = clip === undefined ? undefined : clip.data.producer;
  const sum = scalarOperation(shift, 'Add');
  if (clip === undefined || shift === undefined || sum === undefined || sum.scalar !== 3) return undefined;
  return { x: sum.data, output: node.output(), nodes: [shift, ...clip.nodes], factor: SIXTH };
}

/** Clip to [0, 6], or Min(Max(…, 0), 6) in either order, or Min(Relu(…), 6). */
function clipToSix(node: Node): { readonly data: Value; readonly nodes: readonly Node[] } | undefined {
  if (node.is('Clip')) {
    const bounds = clipBounds(node);
    const data = node.input(0);
    return data !== undefined && bounds?.minimum === 0 && bounds.maximum === 6 ? { data, nodes: [node] } : undefined;
  }
  const outer = scalarOperation(node, 'Min', 'Max');
  const inner = outer?.data.producer;
  if (outer === undefined || inner === undefined) return undefined;
  const outerLimit = node.opType === 'Min' ? 6 : 0;
  if (outer.scalar !== outerLimit) return undefined;
  if (inner.is('Relu') && outerLimit === 6) {
    const data = inner.input(0);
    return data === undefined ? undefined : { data, nodes: [inner, node] };
  }
  const bound = scalarOperation(inner, node.opType === 'Min' ? 'Max' : 'Min');
  return bound !== undefined && bound.scalar === 6 - outerLimit
    ? { data: bound.data, nodes: [inner, node] }
    : undefined;
}

/** @returns undefined if it fused, '' if there is nothing to gain, else why not. */
function fuse(model: Model, gate: Gate): string | undefined {
  const { x, output, nodes, factor } = gate;
  const graph = nodes[0]?.graph;
  const swish = productOf(output, factor, x);
  const product = swish ?? productOf(output, factor);
  if (product === undefined) return 'it is not divided by 6, or what it computes in between is used elsewhere';
  const fromSigmoid = factor === 1;
  // HardSigmoid alone stays itself, and HardSigmoid · x too where there is no HardSwish.
  if (graph === undefined || (fromSigmoid && (swish === undefined || model.opset < 14))) return '';
  const elementType = inferElementType(x);
  if (elementType !== 'float32') return `its data is ${elementType ?? 'of unknown type'}, not float32`;
  const all = [...nodes, ...product.nodes];
  const last = all.at(-1);
  if (last === undefined) return '';
  return replaceNodes(graph, all, last, () => replacement(model, x, product.output, swish !== undefined));
}

function replacement(model: Model, x: Value, output: Value, multiplied: boolean): Node[] {
  if (multiplied && model.opset >= 14) return [new Node('HardSwish', [x], [output])];
  const attributes = { alpha: attribute.float(Math.fround(SIXTH)), beta: attribute.float(0.5) };
  if (!multiplied) return [new Node('HardSigmoid', [x], [output], { attributes })];
  const gate = new Value(model.freshName(`${output.name}_gate`), output.type);
  return [new Node('HardSigmoid', [x], [gate], { attributes }), new Node('Mul', [x, gate], [output])];
}
