/** How recorded inputs are fed: in the one call that they were recorded in, or, where the model's own batch is smaller, piece by piece. */
import type { Dimension, TensorSignature } from '../../artifact/manifest.js';
import { convertElements, numpyElements } from '../data/numpy-elements.js';
import type { NumpyArray } from '../data/numpy-file.js';
import type { RuntimeTensor } from '../runtime/session.js';
import { matchNames } from './match-names.js';
import { type ParitySamples, parityError } from './parity-samples.js';

export interface SampleRuns {
  readonly count: number;
  feeds(run: number): Promise<Record<string, RuntimeTensor>>;
}

interface FedInput {
  readonly input: TensorSignature;
  readonly array: NumpyArray;
  /** Runs that it has data for; undefined: the same data for each. */
  readonly count: number | undefined;
  /** Of one run. */
  readonly dims: readonly number[];
}

export type Frozen = Readonly<Record<string, RuntimeTensor>>;

/**
 * @param frozen inputs of the source that the model no longer has; they must have been recorded with the values that they were frozen to
 * @throws ConfigurationError PARITY_INPUT_MISSING, PARITY_INPUT_UNKNOWN, PARITY_FROZEN, PARITY_SHAPE; DATA_INPUT_TYPE
 */
export async function sampleRuns(
  samples: ParitySamples,
  inputs: readonly TensorSignature[],
  frozen: Frozen,
): Promise<SampleRuns> {
  const recorded = [...samples.inputs.keys()].filter((name) => frozen[name] === undefined);
  const names = matchNames(
    recorded,
    inputs.map(({ name }) => name),
  );
  await checkFrozen(samples, frozen);
  const unknown = recorded.filter((name) => !names.has(name));
  if (unknown.length > 0) {
    throw parityError(
      'PARITY_INPUT_UNKNOWN',
      `${samples.path} has inputs that the model lacks: ${listed(unknown)} (it has ${listed(inputs.map(({ name }) => name))}).`,
      'Name the arrays after the inputs of the model, which `cdk-onnx inspect` lists.',
    );
  }
  const byInput = new Map([...names].map(([name, input]) => [input, name]));
  const fed: FedInput[] = [];
  const missing: string[] = [];
  for (const input of inputs) {
    const array = samples.inputs.get(byInput.get(input.name) ?? '');
    if (array === undefined) missing.push(input.name);
    else fed.push(fedInput(samples.path, input, array));
  }
  if (missing.length > 0) {
    throw parityError(
      'PARITY_INPUT_MISSING',
      `${samples.path} has no array ${missing.map((name) => `inputs/${name}`).join(', ')} (it has ${listed(recorded)}).`,
      'Record every input of the model.',
    );
  }
  const count = commonCount(samples.path, fed);
  const inputsOfRun = fed.map((input) => inRows(input, count));
  return {
    count,
    feeds: async (run) =>
      Object.fromEntries(await Promise.all(inputsOfRun.map((input) => feed(samples.path, input, run)))),
  };
}

function fedInput(path: string, input: TensorSignature, array: NumpyArray): FedInput {
  const { shape } = input;
  const actual = array.header.shape;
  // onnxruntime says [] for an unknown rank too.
  if (shape === null || shape.length === 0 || fits(actual, shape))
    return { input, array, count: undefined, dims: actual };
  const [batch] = shape;
  const [rows = 0] = actual;
  if (typeof batch === 'number' && batch > 0 && rows % batch === 0 && fits([batch, ...actual.slice(1)], shape)) {
    return { input, array, count: rows / batch, dims: [batch, ...actual.slice(1)] };
  }
  if (fits(actual.slice(1), shape)) return { input, array, count: rows, dims: actual.slice(1) };
  throw parityError(
    'PARITY_SHAPE',
    `${path}: inputs/${array.name.replace(/^inputs\//, '')} is [${actual.join(', ')}], and the model takes [${shape.map((size) => size ?? '?').join(', ')}].`,
    'Record inputs of the shape that the model takes; several samples lie along the first axis.',
  );
}

function fits(actual: readonly number[], shape: readonly Dimension[]): boolean {
  return (
    actual.length === shape.length && shape.every((size, axis) => typeof size !== 'number' || size === actual[axis])
  );
}

function commonCount(path: string, fed: readonly FedInput[]): number {
  const counts = new Map(
    fed.flatMap(({ count, input }) => (count === undefined ? [] : [[count, input.name] as const])),
  );
  const [first, second] = [...counts];
  if (second !== undefined) {
    throw parityError(
      'PARITY_SHAPE',
      `${path}: there are ${first?.[0]} samples of '${first?.[1]}' and ${second[0]} of '${second[1]}'.`,
      'Record as many samples of each input.',
    );
  }
  return first?.[0] ?? 1;
}

/** An input with an open batch goes row by row where another input, whose batch is fixed, does. */
function inRows(fed: FedInput, runs: number): FedInput {
  const { input, array, count } = fed;
  const [rows, ...rest] = array.header.shape;
  const isOpen = input.shape !== null && input.shape.length > 0 && typeof input.shape[0] !== 'number';
  return count === undefined && runs > 1 && rows === runs && isOpen ? { ...fed, count: runs, dims: [1, ...rest] } : fed;
}

async function feed(
  path: string,
  { input, array, count, dims }: FedInput,
  run: number,
): Promise<[string, RuntimeTensor]> {
  const { header, bytes } = array;
  const size = header.itemBytes * dims.reduce((product, dim) => product * dim, 1);
  const raw = await bytes.read(header.dataStart + (count === undefined ? 0 : run * size), size);
  const elements = numpyElements(raw, header);
  const data = convertElements(elements, header.dataType, input.dataType, `${path} (${array.name})`);
  return [input.name, { dataType: input.dataType, dims, data }];
}

async function checkFrozen(samples: ParitySamples, frozen: Frozen): Promise<void> {
  for (const [name, constant] of Object.entries(frozen)) {
    const array = samples.inputs.get(name);
    if (array === undefined) continue;
    const { data } = await wholeArray(array);
    const expected = constant.data;
    const same =
      data.length % Math.max(1, expected.length) === 0 &&
      everyElement(data, (value, index) => Number(value) === Number(expected[index % expected.length]));
    if (same) continue;
    throw parityError(
      'PARITY_FROZEN',
      `${samples.path} was recorded with another '${name}' than model.json freezes that input to.`,
      `Record with the value that inputs.${name}.value in model.json says, or correct that.`,
    );
  }
}

function everyElement(data: RuntimeTensor['data'], holds: (value: unknown, index: number) => boolean): boolean {
  for (let index = 0; index < data.length; index++) if (!holds(data[index], index)) return false;
  return true;
}

/** All elements of an array, in memory of their own. */
export async function wholeArray({ header, bytes }: NumpyArray): Promise<RuntimeTensor> {
  const raw = await bytes.read(header.dataStart, bytes.length - header.dataStart);
  return { dataType: header.dataType, dims: header.shape, data: numpyElements(raw, header) };
}

export function listed(names: readonly string[]): string {
  const shown = names
    .slice(0, 8)
    .map((name) => `'${name}'`)
    .join(', ');
  return names.length > 8 ? `${shown}, …` : shown || 'none';
}
