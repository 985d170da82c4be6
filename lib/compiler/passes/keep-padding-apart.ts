/**
 * A Pad with zeros in front of a MaxPool names the axes that it pads: onnxruntime 1.30 takes one that does not for the pool's own padding,
 * which is less than every number, and so loses the zeros beside what is negative (its PadFusion, from `basic` on).
 */
import { Tensor } from '../ir/tensor.js';
import { graphsOf } from '../ir/traversal.js';
import type { ImmediatePass } from './pass.js';

/** The first operator set in which a Pad has axes. */
const OPSET = 18;

export const KEEP_PADDING_APART = 'keep-padding-apart';

export function keepPaddingApart(): ImmediatePass {
  return {
    name: KEEP_PADDING_APART,
    run(model) {
      let modified = false;
      if (model.opset < OPSET) return { modified, declined: [] };
      for (const graph of graphsOf(model)) {
        for (const node of graph.nodes) {
          const widths = node.constantInput(1)?.numbers();
          const isBare =
            node.is('Pad') && node.string('mode', 'constant') === 'constant' && node.input(3) === undefined;
          const isPooled = node.outputs[0]?.consumers.some((reader) => reader.is('MaxPool')) === true;
          if (!isBare || !isPooled || widths === undefined) continue;
          const rank = widths.length / 2;
          const axes = Array.from({ length: rank }, (_, axis) => axis).filter(
            (axis) => widths[axis] !== 0 || widths[axis + rank] !== 0,
          );
          const constant = (name: string, numbers: readonly number[]) =>
            graph.addInitializer(model.freshName(`${node.outputs[0]?.name}/${name}`), Tensor.int64(numbers));
          const kept = [...axes, ...axes.map((axis) => axis + rank)].map((index) => widths[index] ?? 0);
          node.setInputs([node.input(0), constant('pads', kept), node.input(2), constant('axes', axes)]);
          modified = true;
        }
      }
      return { modified, declined: [] };
    },
  };
}
