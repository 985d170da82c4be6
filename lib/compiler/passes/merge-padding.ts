/** A Pad with zeros in front of a convolution or a pool becomes its own padding, where that means the same. */
import { attribute } from '../ir/attribute.js';
import type { Node } from '../ir/node.js';
import { graphsOf } from '../ir/traversal.js';
import type { ImmediatePass } from './pass.js';
import { clipBounds } from './pattern.js';

/** For any readers of the padded value, all of which must take it. Declines with the reason of the first that does not. */
export function mergePadding(): ImmediatePass {
  return {
    name: 'merge-padding',
    run(model) {
      const declined: string[] = [];
      let modified = false;
      for (const graph of graphsOf(model)) {
        for (const node of [...graph.nodes]) {
          const pads = node.is('Pad') ? zeroPads(node) : undefined;
          const [input, output] = [node.input(0), node.outputs[0]];
          if (pads === undefined || input === undefined || output === undefined || output.uses.size === 0) continue;
          const readers = output.consumers;
          const reason = output.isGraphOutput
            ? 'its result is an output of the graph'
            : readers.map((reader) => obstacle(reader, node, pads)).find((each) => each !== undefined);
          if (reason !== undefined) {
            declined.push(`${node.describe()} stays: ${reason}.`);
            continue;
          }
          for (const reader of readers) {
            addPads(reader, pads);
            reader.setInput(0, input);
          }
          graph.remove(node);
          modified = true;
        }
      }
      return { modified, declined };
    },
  };
}

/** What a Pad adds before and behind every axis but the first two, where it adds zeros there and nothing elsewhere. */
function zeroPads(node: Node): number[] | undefined {
  const rank = node.input(0)?.rank ?? node.outputs[0]?.rank;
  const value = node.constantInput(2);
  if (node.string('mode', 'constant') !== 'constant' || rank === undefined || rank < 3) return undefined;
  if (node.input(2) !== undefined && (value?.count !== 1 || value.numbers()[0] !== 0)) return undefined;
  const widths = node.constantInput(1)?.numbers();
  if (widths === undefined || widths.some((width) => width < 0)) return undefined;
  const named = node.constantInput(3)?.numbers();
  if (node.input(3) !== undefined && named === undefined) return undefined;
  const axes = (named ?? Array.from({ length: rank }, (_, axis) => axis)).map((axis) =>
    axis < 0 ? axis + rank : axis,
  );
  if (widths.length !== 2 * axes.length) return undefined;
  const pads = new Array<number>(2 * rank).fill(0);
  for (const [index, axis] of axes.entries()) {
    pads[axis] = widths[index] as number;
    pads[axis + rank] = widths[index + axes.length] as number;
  }
  if ([0, 1, rank, rank + 1].some((index) => pads[index] !== 0)) return undefined;
  return [...pads.slice(2, rank), ...pads.slice(rank + 2)];
}

/** Why a node cannot do the padding itself. */
function obstacle(reader: Node, pad: Node, pads: readonly number[]): string | undefined {
  const own = ownPads(reader, pads.length);
  if (
    reader.graph !== pad.graph ||
    !reader.is('Conv', 'MaxPool', 'AveragePool') ||
    reader.input(0) !== pad.outputs[0]
  ) {
    return `${reader.describe()} reads it`;
  }
  if (reader.string('auto_pad', 'NOTSET') !== 'NOTSET') return `${reader.describe()} pads automatically`;
  if (reader.is('Conv')) return undefined;
  if (reader.int('ceil_mode', 0) === 1) return `${reader.describe()} rounds its size up`;
  const kernel = reader.ints('kernel_shape') ?? [];
  const isTooWide = pads.some((width, index) => width + (own[index] ?? 0) >= (kernel[index % kernel.length] ?? 0));
  if (isTooWide) return `${reader.describe()} would have windows of nothing but padding`;
  if (reader.is('AveragePool')) {
    const counts = reader.int('count_include_pad', 0) === 1;
    return counts || own.every((width) => width === 0) ? undefined : `${reader.describe()} does not count what it pads`;
  }
  if (reader.outputs.length > 1) return `${reader.describe()} returns positions`;
  return isNeverNegative(pad.input(0)?.producer) ? undefined : `${reader.describe()} pads with less than zero`;
}

function ownPads(reader: Node, length: number): readonly number[] {
  return reader.ints('pads') ?? new Array<number>(length).fill(0);
}

/** A zero beside such numbers is never the greatest that was not there before. */
function isNeverNegative(node: Node | undefined): boolean {
  if (node === undefined) return false;
  if (node.is('Relu', 'Sigmoid', 'HardSigmoid', 'Softplus', 'Exp', 'Abs')) return true;
  if (node.is('MaxPool', 'AveragePool', 'Concat'))
    return node.inputs.every((input) => isNeverNegative(input?.producer));
  return node.is('Clip') && (clipBounds(node)?.minimum ?? -1) >= 0;
}

function addPads(reader: Node, pads: readonly number[]): void {
  const own = ownPads(reader, pads.length);
  reader.attributes.set('pads', attribute.ints(pads.map((width, index) => width + (own[index] ?? 0))));
  if (reader.is('AveragePool')) reader.attributes.set('count_include_pad', attribute.int(1));
}
