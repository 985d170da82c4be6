/** What the layers over spatial dimensions have in common in Keras's configs. */
import type { DataFormat, Padding } from '../../../lowering/sliding-window.js';
import type { LayerConfig } from '../layer-config.js';

/** @throws ReaderError LAYER_OPTION_UNSUPPORTED */
export function dataFormatOf(config: LayerConfig): DataFormat {
  const format = config.string('data_format', 'channels_last');
  if (format === 'channels_last' || format === 'channels_first') return format;
  throw config.refuse('data_format', 'Keras knows channels_last and channels_first.');
}

/** @throws ReaderError LAYER_OPTION_UNSUPPORTED */
export function paddingOf(config: LayerConfig): Padding {
  const padding = config.string('padding', 'valid').toLowerCase();
  if (padding === 'valid' || padding === 'same' || padding === 'causal') return padding;
  throw config.refuse('padding', "Keras knows 'valid', 'same' and, in one dimension, 'causal'.");
}

/**
 * Widths before and after each spatial dimension, as Keras writes them: a number for all, a number for each, or a pair for each. In one
 * dimension two numbers are a pair.
 * @throws ReaderError LAYER_OPTION_UNSUPPORTED
 */
export function widthsOf(
  config: LayerConfig,
  name: string,
  rank: number,
  fallback: number,
): readonly (readonly [number, number])[] {
  const raw = config.has(name) ? config.raw(name) : fallback;
  const entries = Array.isArray(raw)
    ? rank === 1 && !Array.isArray(raw[0])
      ? [raw]
      : raw
    : Array.from({ length: rank }, () => raw);
  const widths = entries.map((entry: unknown) => (Array.isArray(entry) ? entry : [entry, entry]));
  const fits = widths.length === rank && widths.every((pair) => pair.length === 2 && pair.every(isWidth));
  if (fits) return widths as [number, number][];
  throw config.refuse(name, `Widths are whole numbers of at least 0, a pair for each of ${rank} dimensions.`);
}

function isWidth(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Spatial pairs, with nothing for the batch and the channels. */
export function withOuter(
  widths: readonly (readonly [number, number])[],
  dataFormat: DataFormat,
): readonly (readonly [number, number])[] {
  return dataFormat === 'channels_last' ? [[0, 0], ...widths, [0, 0]] : [[0, 0], [0, 0], ...widths];
}

/** The axes of rows and columns of a picture. */
export function pictureAxes(rank: number, dataFormat: DataFormat): readonly [number, number] {
  return dataFormat === 'channels_last' ? [rank - 3, rank - 2] : [rank - 2, rank - 1];
}
