/**
 * `auto_pad` says what padding is for; here it becomes the numbers that it means, wherever the sizes are known that they depend on. Other
 * passes, quantization and onnxruntime's blocked convolutions understand numbers.
 */
import { attribute } from '../ir/attribute.js';
import type { Node } from '../ir/node.js';
import { graphsOf } from '../ir/traversal.js';
import type { Dimension } from '../ir/value.js';
import type { ImmediatePass } from './pass.js';

const PADDED = ['Conv', 'MaxPool', 'AveragePool', 'LpPool'] as const;

/** Declines where the size of a picture is open and the stride makes the padding depend on it. */
export function staticPadding(): ImmediatePass {
  return {
    name: 'static-padding',
    run(model) {
      const declined: string[] = [];
      let modified = false;
      for (const graph of graphsOf(model)) {
        for (const node of graph.nodes) {
          if (!node.is(...PADDED) || !node.attributes.has('auto_pad')) continue;
          const pads = padsOf(node);
          if (typeof pads === 'string') {
            declined.push(`${node.describe()} keeps its auto_pad: ${pads}.`);
            continue;
          }
          node.attributes.delete('auto_pad');
          if (pads !== undefined) node.attributes.set('pads', attribute.ints(pads));
          modified = true;
        }
      }
      return { modified, declined };
    },
  };
}

/** Numbers in front of every axis, then behind; undefined where the attribute `pads` says it already; a string why it is not known. */
function padsOf(node: Node): number[] | string | undefined {
  const automatic = node.string('auto_pad', 'NOTSET');
  if (automatic === 'NOTSET') return undefined;
  const kernel = node.ints('kernel_shape') ?? node.constantInput(1)?.dims.slice(2);
  if (kernel === undefined) return 'the size of its window is not known';
  if (automatic === 'VALID') return new Array<number>(2 * kernel.length).fill(0);
  if (automatic !== 'SAME_UPPER' && automatic !== 'SAME_LOWER') return `'${automatic}' is no padding`;
  const { type } = node.input(0) ?? {};
  const sizes = (type?.kind === 'tensor' ? type.shape : undefined)?.slice(2);
  const [before, after]: [number[], number[]] = [[], []];
  for (const [axis, width] of kernel.entries()) {
    const total = totalPadding(
      sizes?.[axis],
      width,
      node.ints('strides')?.[axis] ?? 1,
      node.ints('dilations')?.[axis] ?? 1,
    );
    if (total === undefined) return 'it depends on sizes that are open';
    before.push(automatic === 'SAME_LOWER' ? Math.ceil(total / 2) : Math.floor(total / 2));
    after.push(total - (before[axis] as number));
  }
  return [...before, ...after];
}

/** So much that the windows are ⌈size / stride⌉; without strides that does not depend on the size. */
function totalPadding(size: Dimension, kernel: number, stride: number, dilation: number): number | undefined {
  const width = (kernel - 1) * dilation + 1;
  if (stride === 1) return width - 1;
  if (typeof size !== 'number') return undefined;
  return Math.max(0, (Math.ceil(size / stride) - 1) * stride + width - size);
}
