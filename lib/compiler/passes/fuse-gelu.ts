/**
 * GELU spelled out, 0.5 · x · (1 + erf(x / √2)) or its approximation with tanh, to one operator. onnxruntime does the same
 * when it loads a model, unless another rewrite reached into the pattern first: run this before those that fold constants.
 */
import { attribute } from '../ir/attribute.js';
import type { Model } from '../ir/model.js';
import { Node } from '../ir/node.js';
import { graphsOf } from '../ir/traversal.js';
import type { Value } from '../ir/value.js';
import { inferElementType } from './inferred-type.js';
import type { Pass, PassResult } from './pass.js';
import { isNearly, otherInput, productOf, replaceNodes, scalarOperation } from './pattern.js';

interface Argument {
  readonly x: Value;
  readonly nodes: readonly Node[];
}

/** Gelu from opset 20 on, before that the operators of `com.microsoft` that onnxruntime itself would put there. */
export function fuseGelu(): Pass {
  return { name: 'fuse-gelu', run };
}

function run(model: Model): PassResult {
  const declined: string[] = [];
  let modified = false;
  for (const graph of graphsOf(model)) {
    for (const node of [...graph.nodes]) {
      if (node.graph !== graph || !node.is('Erf', 'Tanh')) continue;
      const argument = node.is('Erf') ? overRootOfTwo(node) : cubic(node);
      const sum = node.output().soleConsumer;
      if (argument === undefined || sum === undefined || scalarOperation(sum, 'Add')?.scalar !== 1) continue;
      const reason = fuse(model, node, argument, sum);
      if (reason === undefined) modified = true;
      else declined.push(`${node.describe()}: ${reason}`);
    }
  }
  return { modified, declined };
}

function fuse(model: Model, node: Node, { x, nodes }: Argument, sum: Node): string | undefined {
  const product = productOf(sum.output(), 0.5, x);
  const last = product?.nodes.at(-1);
  if (node.graph === undefined || product === undefined || last === undefined) {
    return 'it is not multiplied by its argument and 0.5, or what it computes in between is used elsewhere';
  }
  const elementType = inferElementType(x);
  if (elementType !== 'float32') return `its data is ${elementType ?? 'of unknown type'}, not float32`;
  return replaceNodes(node.graph, [...nodes, node, sum, ...product.nodes], last, () => [
    gelu(model, x, product.output, node.is('Tanh')),
  ]);
}

function gelu(model: Model, x: Value, output: Value, approximate: boolean): Node {
  if (model.opset >= 20) {
    const attributes = approximate ? { approximate: attribute.string('tanh') } : {};
    return new Node('Gelu', [x], [output], { attributes });
  }
  if (!model.opsetImports.has('com.microsoft')) model.opsetImports.set('com.microsoft', 1);
  return new Node(approximate ? 'FastGelu' : 'Gelu', [x], [output], { domain: 'com.microsoft' });
}

/** x · √½ or x / √2. */
function overRootOfTwo(erf: Node): Argument | undefined {
  const producer = erf.input(0)?.producer;
  const scaled = scalarOperation(producer, 'Mul', 'Div');
  if (producer === undefined || scaled === undefined) return undefined;
  const factor = producer.is('Mul') ? scaled.scalar : scaled.position === 0 ? 1 / scaled.scalar : Number.NaN;
  return isNearly(factor, Math.SQRT1_2) ? { x: scaled.data, nodes: [producer] } : undefined;
}

/** √(2/π) · (x + 0.044715 · x³). */
function cubic(tanh: Node): Argument | undefined {
  const outer = tanh.input(0)?.producer;
  const scaled = scalarOperation(outer, 'Mul');
  const sum = scaled?.data.producer;
  if (outer === undefined || !sum?.is('Add') || !isNearly(scaled?.scalar, Math.sqrt(2 / Math.PI))) return undefined;
  for (const x of sum.inputs) {
    const term = x === undefined ? undefined : otherInput(sum, x)?.producer;
    const cube = scalarOperation(term, 'Mul');
    if (x === undefined || term === undefined || !isNearly(cube?.scalar, 0.044715)) continue;
    const power = cubeOf(cube?.data.producer, x);
    if (power !== undefined) return { x, nodes: [outer, sum, term, ...power] };
  }
  return undefined;
}

/** Pow(x, 3), or x · x · x. */
function cubeOf(node: Node | undefined, x: Value): readonly Node[] | undefined {
  if (node === undefined) return undefined;
  const power = scalarOperation(node, 'Pow');
  if (power?.data === x && power.position === 0 && power.scalar === 3) return [node];
  const square = node.is('Mul') ? otherInput(node, x)?.producer : undefined;
  return square?.is('Mul') && node.inputs.includes(x) && square.inputs.every((input) => input === x)
    ? [node, square]
    : undefined;
}
