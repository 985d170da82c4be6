/** Tables of rows as int8 with a scale per row: only the rows that are gathered become float32, at every run. */
import type { EmbeddingRecipe } from '../../../artifact/recipe.js';
import { attribute } from '../../ir/attribute.js';
import { elementTypeNumber } from '../../ir/element-type.js';
import { Node } from '../../ir/node.js';
import { Tensor } from '../../ir/tensor.js';
import { Value } from '../../ir/value.js';
import { quantizeWeight } from '../parameters/quantize-weight.js';
import type { SchemeContext, SchemeRewrite } from '../scheme.js';
import { acceptedBy, type ConstantWeight, Derived, nameOf, releaseWeights, weightOf } from './constant-weight.js';

export interface EmbeddingOptions {
  /** Tables of shorter rows stay: a row also has a scale of four bytes. Default 8. */
  readonly minimumRow?: number;
}

export function embedding({ minimumRow = 8 }: EmbeddingOptions = {}): SchemeRewrite<EmbeddingRecipe> {
  const scheme: SchemeRewrite<EmbeddingRecipe> = {
    scheme: 'int8-embedding',
    opsets: { '': 7 },

    refusal(node) {
      if (!node.is('Gather')) return `${node.describe()} gathers no rows`;
      const table = weightOf(node, 0);
      if (typeof table === 'string') return `${table}, and it is what ${node.describe()} gathers from`;
      const { dims } = table.tensor;
      if (dims.length < 2 || table.tensor.count / (dims[0] ?? 1) < minimumRow) {
        return `the rows of '${table.value.name}' are shorter than ${minimumRow} numbers`;
      }
      const axis = node.int('axis', 0);
      return axis === 0 || axis === -dims.length
        ? undefined
        : `${node.describe()} gathers along axis ${axis}, not rows`;
    },

    activations: () => [],

    rewrite(assignments, context) {
      const { accepted, declined } = acceptedBy(scheme, assignments, context.model);
      const tables = new Derived<Table | string>();
      const released = new Set<ConstantWeight>();
      for (const { node } of accepted) {
        const weight = weightOf(node, 0);
        if (typeof weight === 'string') continue;
        const table = tables.get(weight.value, '', () => quantizeRows(weight, context));
        if (typeof table === 'string') declined.push({ node: nameOf(node), reason: table });
        else {
          gatherRows(node, table, context);
          released.add(weight);
        }
      }
      releaseWeights(released);
      return declined;
    },
  };
  return scheme;
}

interface Table {
  /** int8 [rows, ...]. */
  readonly integers: Value;
  /** float32 [rows, 1, ...]. */
  readonly scale: Value;
}

function quantizeRows({ value, tensor, graph }: ConstantWeight, context: SchemeContext): Table | string {
  const given = context.quantizedWeight(value.name);
  if (given !== undefined) {
    const { dataType, axis, zeroPoint } = given.parameters;
    if (dataType !== 'int8' || axis !== 0 || zeroPoint.some((number) => number !== 0)) {
      return `the integers chosen for '${value.name}' are not int8 around 0 with a scale per row`;
    }
  }
  const { integers, parameters } = given ?? quantizeWeight(value.name, tensor, { dataType: 'int8', axis: 0 });
  const name = (suffix: string) => context.model.freshName(`${value.name}_${suffix}`);
  const dims = tensor.dims.map((size, axis) => (axis === 0 ? size : 1));
  return {
    integers: graph.addInitializer(name('int8'), integers),
    scale: graph.addInitializer(name('scale'), Tensor.fromNumbers('float32', dims, parameters.scale)),
  };
}

function gatherRows(node: Node, { integers, scale }: Table, { model }: SchemeContext): void {
  const indices = node.input(1);
  const { graph } = node;
  if (indices === undefined || graph === undefined) return;
  const name = (suffix: string) => new Value(model.freshName(`${node.output().name}_${suffix}`));
  const [rows, real, scales] = [name('int8'), name('real'), name('scale')];
  graph.insertBefore(
    node,
    new Node('Gather', [integers, indices], [rows], { name: node.name }),
    new Node('Cast', [rows], [real], { attributes: { to: attribute.int(elementTypeNumber('float32')) } }),
    new Node('Gather', [scale, indices], [scales]),
    new Node('Mul', [real, scales], [node.output()]),
  );
  graph.remove(node);
}
