/** Constant nodes become initializers, of the graph that they stand in: one form of a constant for every later pass. */
import type { Attribute } from '../ir/attribute.js';
import type { Node } from '../ir/node.js';
import { Tensor } from '../ir/tensor.js';
import { forEachGraph } from '../ir/traversal.js';
import { allowConstants } from './allow-constants.js';
import type { ImmediatePass } from './pass.js';

/** Declines sparse constants. Bodies of model-local functions are left alone: they cannot have initializers. */
export function constantsToInitializers(): ImmediatePass {
  return {
    name: 'constants-to-initializers',
    run(model) {
      const declined: string[] = [];
      let modified = false;
      forEachGraph(model.graph, (graph) => {
        const constants: Node[] = [];
        for (const node of graph.nodes) {
          if (!node.is('Constant')) continue;
          const tensor = constantTensor(node);
          const [value] = node.outputs;
          if (tensor === undefined || value === undefined) {
            declined.push(`${node.describe()} holds no dense tensor.`);
            continue;
          }
          node.setOutputs([]);
          value.initializer = tensor;
          value.type = { kind: 'tensor', elementType: tensor.elementType, shape: tensor.dims };
          graph.initializers.add(value);
          constants.push(node);
        }
        if (constants.length === 0) return;
        graph.remove(...constants);
        modified = true;
      });
      if (modified) allowConstants(model);
      return { modified, declined };
    },
  };
}

/** What a Constant node holds, in any of its dense forms. */
export function constantTensor(node: Node): Tensor | undefined {
  for (const [name, attribute] of node.attributes) {
    const tensor = tensorOf(name, attribute);
    if (tensor !== undefined) return tensor;
  }
  return undefined;
}

function tensorOf(name: string, { kind, value }: Attribute): Tensor | undefined {
  if (kind === 'tensor' && name === 'value') return value;
  if (kind === 'float' && name === 'value_float') return Tensor.scalar('float32', value);
  if (kind === 'floats' && name === 'value_floats') return Tensor.fromNumbers('float32', [value.length], value);
  if (kind === 'int' && name === 'value_int') return Tensor.int64([value], []);
  if (kind === 'ints' && name === 'value_ints') return Tensor.int64(value);
  if (kind === 'string' && name === 'value_string') return stringTensor([], [value]);
  if (kind === 'strings' && name === 'value_strings') return stringTensor([value.length], value);
  return undefined;
}

function stringTensor(dims: readonly number[], strings: readonly Uint8Array[]): Tensor {
  return new Tensor('string', dims, { kind: 'strings', strings });
}
