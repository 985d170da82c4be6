/** Runs a model on recorded inputs and measures how far its outputs are from the recorded ones. */
import type { SessionSettings, TensorSignature } from '../../artifact/manifest.js';
import { openSession, type RuntimeSession, type RuntimeTensor } from '../runtime/session.js';
import { type Difference, differenceOf } from './difference.js';
import { matchNames } from './match-names.js';
import { type ParitySamples, parityError } from './parity-samples.js';
import { type Frozen, listed, sampleRuns, wholeArray } from './sample-runs.js';

/** One for all outputs, or one for each by name; DEFAULT_TOLERANCE where none is given. */
export type Tolerance = number | Readonly<Record<string, number>>;

/** Of max|y|: ten times what float32 arithmetic in another order changes in deep networks, a hundredth of what anybody would see. */
export const DEFAULT_TOLERANCE = 1e-4;

export interface ParityOutput extends Difference {
  readonly output: string;
  readonly tolerance: number;
  readonly holds: boolean;
}

export interface Measurement {
  readonly runs: number;
  /** In the model's order. */
  readonly outputs: readonly ParityOutput[];
  /** Outputs of the model that were not recorded. */
  readonly notCompared: readonly string[];
}

export interface MeasureOptions {
  readonly tolerance: Tolerance | undefined;
  readonly frozen: Frozen;
  /** What sessions are opened with. Default: everything onnxruntime optimizes. */
  readonly settings?: SessionSettings;
  readonly signal?: AbortSignal;
}

/**
 * @param path of an ONNX file
 * @throws ConfigurationError PARITY_… where the samples do not fit the model; RuntimeError
 */
export async function measureParity(
  path: string,
  samples: ParitySamples,
  options: MeasureOptions,
): Promise<Measurement> {
  const { signal, settings, frozen, tolerance } = options;
  await using session = await openSession(path, {
    ...(settings === undefined ? {} : { settings }),
    ...(signal === undefined ? {} : { signal }),
  });
  const tensors = (values: RuntimeSession['inputs']) =>
    values.filter((value): value is TensorSignature => value.dataType !== null);
  const inputs = tensors(session.inputs);
  // The source itself still asks for what was frozen.
  const asked = inputs.filter(({ name }) => frozen[name] === undefined);
  const constants = Object.fromEntries(
    Object.entries(frozen).filter(([name]) => inputs.some((input) => input.name === name)),
  );
  const runs = await sampleRuns(samples, asked, frozen);
  const names = outputNames(
    samples,
    tensors(session.outputs).map(({ name }) => name),
  );
  const computed = new Map<string, RuntimeTensor[]>([...names.values()].map((name) => [name, []]));
  for (let run = 0; run < runs.count; run++) {
    const { outputs } = await session.run({ ...(await runs.feeds(run)), ...constants }, [...computed.keys()]);
    for (const [name, parts] of computed) parts.push(outputs[name] as RuntimeTensor);
  }
  const recordedName = new Map([...names].map(([recorded, output]) => [output, recorded]));
  const outputs: ParityOutput[] = [];
  for (const { name } of session.outputs) {
    const recorded = samples.outputs.get(recordedName.get(name) ?? '');
    if (recorded === undefined) continue;
    const difference = compare(samples.path, name, await wholeArray(recorded), computed.get(name) ?? []);
    const allowed =
      typeof tolerance === 'object' ? (tolerance[name] ?? DEFAULT_TOLERANCE) : (tolerance ?? DEFAULT_TOLERANCE);
    outputs.push({ output: name, ...difference, tolerance: allowed, holds: difference.relativeError <= allowed });
  }
  const notCompared = session.outputs.map(({ name }) => name).filter((name) => !recordedName.has(name));
  return { runs: runs.count, outputs, notCompared };
}

/** @throws ConfigurationError PARITY_OUTPUT_UNKNOWN */
function outputNames(samples: ParitySamples, known: readonly string[]): ReadonlyMap<string, string> {
  const recorded = [...samples.outputs.keys()];
  const names = matchNames(recorded, known);
  const unknown = recorded.filter((name) => !names.has(name));
  if (unknown.length === 0) return names;
  throw parityError(
    'PARITY_OUTPUT_UNKNOWN',
    `${samples.path} has outputs that the model lacks: ${listed(unknown)} (it has ${listed(known)}).`,
    'Name the arrays after the outputs of the model, which `cdk-onnx inspect` lists.',
  );
}

/**
 * One recorded value against what the runs computed of it, one after the other.
 * @throws ConfigurationError PARITY_SHAPE, PARITY_TYPE
 */
export function compare(
  path: string,
  name: string,
  recorded: RuntimeTensor,
  parts: readonly RuntimeTensor[],
): Difference {
  const [first] = parts;
  if (first === undefined) throw new TypeError('no run');
  if (kindOf(first.dataType) !== kindOf(recorded.dataType)) {
    throw parityError(
      'PARITY_TYPE',
      `${path}: '${name}' was recorded as ${recorded.dataType}, and the model computes ${first.dataType}.`,
      'Record it as the source computes it, without a conversion.',
    );
  }
  const shapes = [
    [first.dims.length === 0 ? parts.length : (first.dims[0] ?? 0) * parts.length, ...first.dims.slice(1)],
    [parts.length, ...first.dims],
  ];
  const wanted = parts.length === 1 ? [first.dims, [1, ...first.dims]] : shapes;
  const alike = parts.every(({ dims }) => dims.join() === first.dims.join());
  if (!alike || !wanted.some((dims) => dims.join() === recorded.dims.join())) {
    const runs = parts.length === 1 ? '' : ` in each of ${parts.length} runs`;
    throw parityError(
      'PARITY_SHAPE',
      `${path}: '${name}' was recorded as [${recorded.dims.join(', ')}], and the model computes [${first.dims.join(', ')}]${runs}.`,
      'Record all inputs and outputs in one call of the source model.',
    );
  }
  return differenceOf(recorded, { dataType: first.dataType, data: joined(parts) });
}

/** Floats of any width compare with floats, integers with integers and bools. */
function kindOf(dataType: RuntimeTensor['dataType']): 'float' | 'integer' | 'text' {
  if (dataType === 'string') return 'text';
  return dataType.startsWith('float') ? 'float' : 'integer';
}

function joined(parts: readonly RuntimeTensor[]): RuntimeTensor['data'] {
  const [first] = parts;
  if (first === undefined || parts.length === 1) return first?.data ?? [];
  if (!ArrayBuffer.isView(first.data)) return parts.flatMap(({ data }) => data as readonly string[]);
  const Elements = first.data.constructor as Float32ArrayConstructor;
  const all = new Elements(parts.reduce((sum, { data }) => sum + data.length, 0));
  let position = 0;
  for (const { data } of parts) {
    all.set(data as Float32Array, position);
    position += data.length;
  }
  return all;
}
