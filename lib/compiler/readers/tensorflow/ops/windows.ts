/** Attributes that convolutions and pools share: lists with an entry for every dimension, in the order of the data format. */
import type { DataFormat, Padding } from '../../../lowering/sliding-window.js';
import type { OpCall } from '../op-call.js';

/** NHWC, NDHWC, NWC: channels last; NCHW, NCDHW: first. */
export function dataFormatOf(call: OpCall): DataFormat {
  return call.attributes.string('data_format', 'NHWC').startsWith('NC') ? 'channels_first' : 'channels_last';
}

/** The entries of the spatial dimensions. @throws ReaderError OP_WINDOW where batch or channels have one other than 1 */
export function spatialEntries(call: OpCall, name: string, fallback?: readonly number[]): readonly number[] {
  const entries = call.attributes.ints(name, fallback);
  const isFirst = dataFormatOf(call) === 'channels_first';
  const others = isFirst ? entries.slice(0, 2) : [entries[0], entries.at(-1)];
  if (entries.length < 3 || others.some((entry) => entry !== 1)) {
    throw call.refuse(
      'OP_WINDOW',
      `has ${name} [${entries}], which reach over batch or channels`,
      'Write the model without that.',
    );
  }
  return isFirst ? entries.slice(2) : entries.slice(1, -1);
}

export function paddingOf(call: OpCall): Padding {
  const padding = call.attributes.string('padding');
  if (padding === 'SAME') return 'same';
  if (padding === 'VALID') return 'valid';
  const widths = call.attributes.ints('explicit_paddings', []);
  const pairs = Array.from({ length: widths.length / 2 }, (_, axis): readonly [number, number] => [
    widths[2 * axis] ?? 0,
    widths[2 * axis + 1] ?? 0,
  ]);
  return dataFormatOf(call) === 'channels_first' ? pairs.slice(2) : pairs.slice(1, -1);
}
