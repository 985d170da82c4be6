/** MatMul and Gemm with a constant matrix as com.microsoft.MatMulNBits: 4 or 8 bits a weight and a scale per block. */
import type { BlockwiseRecipe } from '../../../../artifact/recipe.js';
import { attribute } from '../../../ir/attribute.js';
import type { Model } from '../../../ir/model.js';
import { Node } from '../../../ir/node.js';
import type { Tensor } from '../../../ir/tensor.js';
import { Value } from '../../../ir/value.js';
import type { QuantizedWeight } from '../../plan.js';
import type { SchemeContext, SchemeRewrite } from '../../scheme.js';
import { acceptedBy, type ConstantWeight, Derived, nameOf, releaseWeights, weightOf } from '../constant-weight.js';
import { GemmBiases } from '../gemm-bias.js';
import { packBlocks } from './pack-blocks.js';
import { matrixLayout, quantizeBlocks } from './quantize-blocks.js';

const SMALLEST_BLOCK = 16;
/** onnxruntime has no kernels for larger ones. */
const LARGEST_BLOCK = 256;
/** Up to this size, blocks may be larger than what they stand for. */
const GROWTH_BYTES = 1_048_576;

export const blockwiseScheme: SchemeRewrite<BlockwiseRecipe> = {
  scheme: 'matmul-nbits',
  opsets: { '': 7, 'com.microsoft': 1 },

  refusal(node, { bits, blockSize }) {
    if (!node.is('MatMul', 'Gemm')) return `${node.describe()} is no product of matrices`;
    if (bits !== 4 && bits !== 8) return `MatMulNBits takes 4 or 8 bits here, not ${bits}`;
    if (!Number.isInteger(Math.log2(blockSize)) || blockSize < SMALLEST_BLOCK || blockSize > LARGEST_BLOCK) {
      return `a block of ${blockSize} is no power of two from ${SMALLEST_BLOCK} to ${LARGEST_BLOCK}`;
    }
    if (node.int('transA', 0) !== 0) return `${node.describe()} transposes its input`;
    const weight = weightOf(node, 1);
    if (typeof weight === 'string') return `${weight}, and it is what ${node.describe()} multiplies with`;
    const { dims, byteLength } = weight.tensor;
    if (dims.length !== 2) return `'${weight.value.name}' is no matrix`;
    const { rows, columns } = matrixLayout(dims, node.int('transB', 0) === 1);
    const bytes = (columns * Math.ceil(rows / blockSize) * blockSize * bits) / 8;
    // K is filled up to whole blocks: without a limit, a file could ask for any amount of memory.
    if (bytes > Math.max(byteLength, GROWTH_BYTES))
      return `blocks of ${blockSize} would take ${bytes} bytes, more than float32`;
    return undefined;
  },

  activations: () => [],

  rewrite(assignments, context) {
    const { accepted, declined } = acceptedBy(blockwiseScheme, assignments, context.model);
    const weights = new Derived<Blocks | string>();
    const biases = new GemmBiases(context.model);
    const released = new Set<ConstantWeight>();
    for (const { node, recipe } of accepted) {
      const weight = weightOf(node, 1);
      if (typeof weight === 'string') continue;
      const transposed = node.int('transB', 0) === 1;
      const alpha = node.float('alpha', 1);
      const key = JSON.stringify([transposed, alpha, recipe.bits, recipe.blockSize, recipe.symmetric]);
      const blocks = weights.get(weight.value, key, () => store(weight, { transposed, alpha, recipe, context }));
      if (typeof blocks === 'string') declined.push({ node: nameOf(node), reason: blocks });
      else {
        const replaced = replace(node, blocks, { recipe, model: context.model, biases });
        for (const constant of [weight, ...replaced]) released.add(constant);
      }
    }
    releaseWeights(released);
    return declined;
  },
};

interface Blocks {
  readonly rows: number;
  readonly columns: number;
  readonly integers: Value;
  readonly scale: Value;
  readonly zeroPoint: Value | undefined;
}

interface StoreOptions {
  readonly transposed: boolean;
  readonly alpha: number;
  readonly recipe: BlockwiseRecipe;
  readonly context: SchemeContext;
}

function store({ value, tensor, graph }: ConstantWeight, options: StoreOptions): Blocks | string {
  const { transposed, alpha, recipe, context } = options;
  const { rows, columns } = matrixLayout(tensor.dims, transposed);
  const given = context.quantizedWeight(value.name);
  if (given !== undefined && !fits(given, recipe, columns * Math.ceil(rows / recipe.blockSize))) {
    return `the integers chosen for '${value.name}' are not in the recipe's blocks`;
  }
  const packed = packBlocks(given ?? quantizeBlocks(value.name, tensor, transposed, recipe), transposed, recipe, alpha);
  const add = (suffix: string, stored: Tensor) =>
    graph.addInitializer(context.model.freshName(`${value.name}_${suffix}`), stored);
  return {
    rows,
    columns,
    integers: add(`q${recipe.bits}`, packed.integers),
    scale: add('scale', packed.scale),
    zeroPoint: packed.zeroPoint === undefined ? undefined : add('zero_point', packed.zeroPoint),
  };
}

function fits({ integers, parameters }: QuantizedWeight, { bits }: BlockwiseRecipe, blocks: number): boolean {
  const { dataType, scale, zeroPoint } = parameters;
  if (dataType !== (bits === 4 ? 'uint4' : 'uint8') || integers.elementType !== 'uint8') return false;
  return scale.length === blocks && zeroPoint.length === blocks;
}

interface ReplaceOptions {
  readonly recipe: BlockwiseRecipe;
  readonly model: Model;
  readonly biases: GemmBiases;
}

/** @returns the constants that it no longer reads */
function replace(node: Node, blocks: Blocks, { recipe, model, biases }: ReplaceOptions): readonly ConstantWeight[] {
  const { graph } = node;
  if (graph === undefined) return [];
  const { rows, columns, integers, scale, zeroPoint } = blocks;
  const attributes = new Map([
    ['K', attribute.int(rows)],
    ['N', attribute.int(columns)],
    ['bits', attribute.int(recipe.bits)],
    ['block_size', attribute.int(recipe.blockSize)],
  ]);
  if (recipe.accuracyLevel !== 0) attributes.set('accuracy_level', attribute.int(recipe.accuracyLevel));
  const bias = biases.of(node);
  const product = bias === undefined ? node.output() : new Value(model.freshName(`${node.output().name}_product`));
  const inputs = [node.input(0), integers, scale, ...(zeroPoint === undefined ? [] : [zeroPoint])];
  const nodes = [new Node('MatMulNBits', inputs, [product], { domain: 'com.microsoft', name: node.name, attributes })];
  if (bias !== undefined) nodes.push(...bias.nodes, new Node('Add', [product, bias.value], [node.output()]));
  graph.insertBefore(node, ...nodes);
  graph.remove(node);
  return bias?.weight === undefined ? [] : [bias.weight];
}
