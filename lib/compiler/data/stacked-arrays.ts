/** Which of a file's arrays are a model's inputs, and which rows of them are one sample. */
import type { DataType, Dimension, Signature, TensorSignature } from '../../artifact/manifest.js';
import type { RuntimeTensor } from '../runtime/session.js';
import { damaged, dataError, inFile, tooLarge } from './data-error.js';
import type { Feeds, Label } from './data-set.js';
import { convertElements, numpyElements } from './numpy-elements.js';
import type { NumpyArray } from './numpy-file.js';
import type { SampleContent } from './sample-file.js';

/** Names of arrays that hold one truth a sample: class indices (integers), class names or texts. */
const LABEL_NAMES = ['label', 'labels', 'y'];

interface Column {
  readonly array: NumpyArray;
  readonly where: string;
  readonly dataType: DataType;
  /** Of one sample's tensor. */
  readonly dims: readonly number[];
  /** How many samples it holds; undefined where it is the same for all. */
  readonly count: number | undefined;
}

export interface StackedArraysOptions {
  readonly signature: Signature;
  /** Inputs that were frozen: arrays of their names are passed over. */
  readonly frozenInputs: readonly string[];
  /** What inputs are where the file has no array for them: the start of a sequence's state. */
  readonly starts: Feeds;
  /** false: the arrays are one sample, whatever their first axes say. */
  readonly stacked: boolean;
  readonly maxSampleBytes: number;
  labelFromText(text: string, where: string): Label;
}

export class StackedArrays {
  /** Undefined: the arrays are one sample. */
  readonly count: number | undefined;
  readonly #inputs: ReadonlyMap<string, Column>;
  readonly #outputs: ReadonlyMap<string, Column>;
  readonly #labels: Column | undefined;
  readonly #options: StackedArraysOptions;

  /**
   * Arrays are told by their names: an input's or output's own, with or without `inputs/` or `outputs/` in front; `label`, `labels` or `y`.
   * An array with one axis more than its tensor, or with the tensor's axes and any number of rows where the tensor has a free first axis or 1,
   * holds several samples.
   * @throws ConfigurationError DATA_INPUT_MISSING, DATA_INPUT_TYPE, DATA_INPUT_SHAPE, DATA_ARRAY_UNKNOWN, DATA_COUNTS_DIFFER, DATA_TOO_LARGE
   */
  constructor(arrays: readonly NumpyArray[], where: string, options: StackedArraysOptions) {
    this.#options = options;
    const { signature } = options;
    const inputs = new Map<string, Column>();
    const outputs = new Map<string, Column>();
    let labels: Column | undefined;
    for (const array of arrays) {
      const place = array.name === '' ? where : `${where} (${array.name})`;
      const soleInput = array.name === '' && signature.inputs.length === 1 ? signature.inputs[0] : undefined;
      const input = soleInput ?? signature.inputs.find(({ name }) => named(array, name, 'inputs'));
      const output = signature.outputs.find(({ name }) => named(array, name, 'outputs'));
      if (input !== undefined) inputs.set(input.name, columnOf(array, input, place, options.stacked));
      else if (output !== undefined) outputs.set(output.name, columnOf(array, output, place, options.stacked));
      else if (LABEL_NAMES.includes(array.name)) labels = labelColumn(array, place);
      else if (!options.frozenInputs.some((name) => named(array, name, 'inputs'))) {
        throw dataError(
          'DATA_ARRAY_UNKNOWN',
          `${place} is neither an input (${names(signature.inputs)}) nor an output (${names(signature.outputs)}) nor the labels (${LABEL_NAMES.join(', ')}).`,
          'Name each array after its input or output.',
        );
      }
    }
    const missing = signature.inputs.filter(({ name }) => !inputs.has(name) && options.starts[name] === undefined);
    if (missing.length > 0) {
      throw dataError(
        'DATA_INPUT_MISSING',
        `${where} has no array for ${names(missing)}.`,
        'Save one array for each input.',
      );
    }
    this.#inputs = inputs;
    this.#outputs = outputs;
    this.#labels = labels;
    this.count = commonCount(
      [...inputs.values(), ...outputs.values(), ...(labels === undefined ? [] : [labels])],
      where,
    );
    this.#checkSize(where);
  }

  async read(index: number): Promise<SampleContent> {
    const label = await this.label(index);
    const step = { ...this.#options.starts, ...(await feedsOf(this.#inputs, index)) };
    return { steps: [step], ...(label === undefined ? {} : { label }) };
  }

  async label(index: number): Promise<Label | undefined> {
    if (this.#labels !== undefined) {
      const { data, dataType } = await rowOf(this.#labels, index);
      if (dataType === 'string') return this.#options.labelFromText(String(data[0] ?? ''), this.#labels.where);
      return { kind: 'class', index: Number(data[0]) };
    }
    if (this.#outputs.size === 0) return undefined;
    return { kind: 'outputs', outputs: await feedsOf(this.#outputs, index) };
  }

  #checkSize(where: string): void {
    let bytes = 0;
    for (const { array, dims } of [...this.#inputs.values(), ...this.#outputs.values()]) {
      bytes += Math.max(8, array.header.itemBytes) * dims.reduce((product, dim) => product * dim, 1);
    }
    if (bytes > this.#options.maxSampleBytes) throw tooLarge(where, bytes, this.#options.maxSampleBytes);
  }
}

const names = (tensors: readonly TensorSignature[]) => tensors.map(({ name }) => name).join(', ') || 'none';

function named(array: NumpyArray, name: string, folder: 'inputs' | 'outputs'): boolean {
  return array.name === name || array.name === `${folder}/${name}`;
}

function columnOf(
  array: NumpyArray,
  { name, dataType, shape }: TensorSignature,
  where: string,
  stacked: boolean,
): Column {
  const actual = array.header.shape;
  const column = { array, where, dataType };
  if (shape === null) return { ...column, dims: actual, count: undefined };
  if (fits(actual, shape)) {
    const [first = 1] = actual;
    const isBatch = stacked && shape.length > 0 && (typeof shape[0] !== 'number' || shape[0] === 1);
    return isBatch && first !== 1
      ? { ...column, dims: [1, ...actual.slice(1)], count: first }
      : { ...column, dims: actual, count: undefined };
  }
  // A batch of one is stacked to any number.
  if (shape[0] === 1 && fits([1, ...actual.slice(1)], shape)) {
    return { ...column, dims: [1, ...actual.slice(1)], count: actual[0] };
  }
  if (fits(actual.slice(1), shape)) return { ...column, dims: actual.slice(1), count: actual[0] };
  throw dataError(
    'DATA_INPUT_SHAPE',
    `${where} has shape [${actual.join(', ')}]; ${name} is [${shape.map((dim) => dim ?? '?').join(', ')}].`,
    'Save one sample of that shape, or several along a first axis.',
  );
}

function fits(actual: readonly number[], shape: readonly Dimension[]): boolean {
  return actual.length === shape.length && shape.every((dim, axis) => typeof dim !== 'number' || dim === actual[axis]);
}

function labelColumn(array: NumpyArray, where: string): Column {
  const { dataType, shape } = array.header;
  const isFlat = shape.length <= 1 || shape.slice(1).every((dim) => dim === 1);
  if (!isFlat || dataType.startsWith('float') || dataType === 'bool') {
    throw dataError(
      'DATA_LABEL_INVALID',
      `${where} is ${dataType} [${shape.join(', ')}]; labels are one integer or text a sample.`,
      'Save class indices as integers, names and texts as fixed-width text.',
    );
  }
  return { array, where, dataType, dims: [1], count: shape.length === 0 ? undefined : shape[0] };
}

function commonCount(columns: readonly Column[], where: string): number | undefined {
  const counted = columns.filter(({ count }) => count !== undefined);
  const count = counted[0]?.count;
  const other = counted.find((column) => column.count !== count);
  if (other === undefined) return count;
  throw dataError(
    'DATA_COUNTS_DIFFER',
    `${where}: ${counted[0]?.array.name} holds ${count} samples and ${other.array.name} holds ${other.count}.`,
    'Save as many rows of each array.',
  );
}

async function feedsOf(columns: ReadonlyMap<string, Column>, index: number): Promise<Feeds> {
  const feeds: Record<string, RuntimeTensor> = {};
  for (const [name, column] of columns) feeds[name] = await rowOf(column, index);
  return feeds;
}

async function rowOf({ array, dims, count, dataType, where }: Column, index: number): Promise<RuntimeTensor> {
  const { header, bytes } = array;
  const rowBytes = header.itemBytes * dims.reduce((product, dim) => product * dim, 1);
  const row = count === undefined ? 0 : index;
  if (row < 0 || row >= (count ?? 1)) throw damaged(where, `it has no sample ${index}`);
  try {
    const raw = await bytes.read(header.dataStart + row * rowBytes, rowBytes);
    return { dataType, dims, data: convertElements(numpyElements(raw, header), header.dataType, dataType, where) };
  } catch (error) {
    throw inFile(where, error);
  }
}
