/** What is known of the output channels of linear operators, from the weights and from what is known of their inputs. */
import type { Node } from '../../ir/node.js';
import { linearNodeOf } from '../../passes/linear-node.js';
import type { AxisFacts, Fact, Keys } from './facts.js';

/** Whether zeros are put around the input, so that a constant input does not make a constant output. */
export function isPadded(node: Node): boolean {
  if (node.is('ConvTranspose')) return true;
  if (!node.is('Conv')) return false;
  const automatic = node.string('auto_pad', 'NOTSET');
  return automatic === 'NOTSET' ? (node.ints('pads') ?? []).some((pad) => pad !== 0) : automatic !== 'VALID';
}

/**
 * @param input undefined where nothing is known of it
 * @returns undefined where the node's weights are not constant
 */
export function linearFacts(node: Node, input: AxisFacts | undefined, rank: number, keys: Keys): AxisFacts | undefined {
  const linear = linearNodeOf(node);
  if (typeof linear === 'string') return undefined;
  const weights = linear.weight.typed() as Float32Array;
  const alpha = node.is('Gemm') ? node.float('alpha', 1) : 1;
  const rows = Array.from({ length: linear.outputChannels }, () => [] as number[]);
  const inputs = Array.from({ length: linear.outputChannels }, () => [] as number[]);
  for (const [index, weight] of weights.entries()) {
    const output = linear.outputChannelOf(index);
    rows[output]?.push(alpha * weight);
    inputs[output]?.push(linear.inputChannelOf(index));
  }
  const axis = rank - linear.channelAxisFromEnd;
  const known = input?.axis === axis && input.facts.length === linear.inputChannels ? input.facts : undefined;
  const padded = isPadded(node);
  const depthwise = linear.inputChannels === node.int('group', 1) && linear.inputChannels > 1;
  const context = `${node.opType} ${depthwise ? attributesOf(node) : node.input(0)?.name} ${attributesOf(node)}`;
  const facts = rows.map((row, output): Fact => {
    const sources = inputs[output] ?? [];
    const bias = linear.bias?.[output] ?? 0;
    const constant = constantOf(row, sources, bias, known, padded);
    const from = depthwise ? known?.[sources[0] ?? 0] : undefined;
    if (depthwise && from === undefined) return { key: keys.unique(), scale: 1, constant };
    const scale = from?.scale ?? 1;
    const groups = depthwise
      ? `${context} of ${from?.key}`
      : `${context} from ${node.int('group', 1) > 1 ? sources[0] : 0}`;
    const found = keys.ofVector(groups, Float64Array.from([...row, bias / scale]));
    return found === undefined
      ? { key: keys.unique(), scale: 1, constant }
      : { key: found.key, scale: found.scale * scale, constant };
  });
  return { axis, facts };
}

/** The value of an output channel all of whose inputs that count are constant. */
function constantOf(
  row: readonly number[],
  sources: readonly number[],
  bias: number,
  known: readonly Fact[] | undefined,
  padded: boolean,
): number | undefined {
  let sum = bias;
  for (const [index, weight] of row.entries()) {
    if (weight === 0) continue;
    const constant = known?.[sources[index] ?? 0]?.constant;
    if (constant === undefined || (padded && constant !== 0)) return undefined;
    sum += weight * constant;
  }
  return Math.fround(sum);
}

/** What makes two nodes of one type compute the same from the same inputs and weights. */
function attributesOf(node: Node): string {
  const names = ['auto_pad', 'dilations', 'group', 'kernel_shape', 'output_padding', 'pads', 'strides', 'transB'];
  const of = (name: string) => {
    const attribute = node.attributes.get(name);
    return attribute === undefined || !('value' in attribute) ? '' : String(attribute.value);
  };
  return names.map(of).join('/');
}
