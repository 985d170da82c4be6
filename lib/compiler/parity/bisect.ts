/** The first layer of a source that its conversion computes differently, where the outputs of layers were recorded. */
import type { TensorSignature } from '../../artifact/manifest.js';
import { ConfigurationError } from '../../errors.js';
import type { Model } from '../ir/model.js';
import type { Value } from '../ir/value.js';
import { asModelFile } from '../metrics/model-file.js';
import { openSession, type RuntimeSession, type RuntimeTensor } from '../runtime/session.js';
import type { Difference } from './difference.js';
import { layerValues } from './layer-values.js';
import { compare, DEFAULT_TOLERANCE, type MeasureOptions } from './measure.js';
import { openParitySamples, type ParitySamples, parityError } from './parity-samples.js';
import { listed, type SampleRuns, sampleRuns, wholeArray } from './sample-runs.js';

export interface LayerDifference extends Difference {
  readonly layer: string;
  /** The value of the conversion that was compared. */
  readonly value: string;
  readonly holds: boolean;
  /** Why it could not be compared, where its shape or type is another; it strays then. */
  readonly fault?: string;
}

export interface Bisection {
  readonly tolerance: number;
  /** In the order in which the model computes them. */
  readonly layers: readonly LayerDifference[];
  /** The first that strays. */
  readonly first: LayerDifference | undefined;
  /** Recorded layers without operators of their own in the conversion (Dropout, inputs), or of other names. */
  readonly notFound: readonly string[];
}

export interface BisectOptions extends Pick<MeasureOptions, 'frozen' | 'signal'> {
  /** Path of the .npz file. */
  readonly samples: string;
  /** Of max|y| of a layer's output. Default DEFAULT_TOLERANCE. */
  readonly tolerance?: number;
}

/** Recorded values that are held in memory, with what was computed, at a time. */
const BATCH_BYTES = 64 * 2 ** 20;

/**
 * @param model the conversion before any rewrite, whose nodes carry the names of the source's layers; its outputs are as before in the end
 * @throws ConfigurationError PARITY_LAYERS_MISSING, PARITY_…, DATA_…; RuntimeError
 */
export async function bisect(model: Model, options: BisectOptions): Promise<Bisection> {
  const { frozen, tolerance = DEFAULT_TOLERANCE, signal } = options;
  await using samples = await openParitySamples(options.samples);
  if (samples.layers.size === 0) {
    throw parityError(
      'PARITY_LAYERS_MISSING',
      `${samples.path} holds no arrays layers/<name>: there is nothing to bisect by.`,
      'Record the outputs of the layers in between as layers/<name>; the README shows how.',
    );
  }
  const found = layerValues(model.graph, [...samples.layers.keys()]);
  const values = [...new Set(found.flatMap(({ candidates }) => candidates))];
  const known = found.filter(({ candidates }) => candidates.length > 0);
  const notFound = found.filter(({ candidates }) => candidates.length === 0).map(({ layer }) => layer);
  if (known.length === 0) {
    throw parityError(
      'PARITY_LAYERS_MISSING',
      `None of the layers that ${samples.path} recorded is in the conversion: ${listed(notFound)}.`,
      'Name the arrays layers/<name> after the layers (Keras) or the operators (TensorFlow) of the source.',
    );
  }
  const layers: LayerDifference[] = [];
  await using file = await withOutputs(model, values, (written) => asModelFile(written));
  const settings = { graphOptimizationLevel: 'disabled' } as const;
  await using session = await openSession(file.path, { settings, ...(signal === undefined ? {} : { signal }) });
  const runner = await runnerOf(session, samples, frozen);
  for (const group of groups(known, (layer) => samples.layers.get(layer)?.bytes.length ?? 0)) {
    const computed = await runner([...new Set(group.flatMap(({ candidates }) => candidates))]);
    for (const { layer, candidates } of group) {
      const array = samples.layers.get(layer);
      if (array === undefined) continue;
      const recorded = await wholeArray(array);
      layers.push({ layer, ...closest(samples.path, layer, recorded, candidates, computed, tolerance) });
    }
  }
  return { tolerance, layers, first: layers.find(({ holds }) => !holds), notFound };
}

/** Of several values that leave a layer, the one that was recorded is the one that is closest to the record. */
function closest(
  path: string,
  layer: string,
  recorded: RuntimeTensor,
  candidates: readonly Value[],
  computed: ReadonlyMap<Value, readonly RuntimeTensor[]>,
  tolerance: number,
): Omit<LayerDifference, 'layer'> {
  let best: Omit<LayerDifference, 'layer'> | undefined;
  let fault: string | undefined;
  for (const value of candidates) {
    try {
      const difference = compare(path, layer, recorded, computed.get(value) ?? []);
      const found = { ...difference, value: value.name, holds: difference.relativeError <= tolerance };
      if (best === undefined || found.relativeError < best.relativeError) best = found;
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      fault = error.message;
    }
  }
  const nothing = {
    relativeError: Number.POSITIVE_INFINITY,
    largest: 0,
    worst: undefined,
    differing: 0,
    isConstant: false,
  };
  return (
    best ?? { ...nothing, value: candidates[0]?.name ?? '', holds: false, ...(fault === undefined ? {} : { fault }) }
  );
}

async function runnerOf(session: RuntimeSession, samples: ParitySamples, frozen: MeasureOptions['frozen']) {
  const inputs = session.inputs.filter((value): value is TensorSignature => value.dataType !== null);
  const asked = inputs.filter(({ name }) => frozen[name] === undefined);
  const constants = Object.fromEntries(
    Object.entries(frozen).filter(([name]) => inputs.some((input) => input.name === name)),
  );
  const runs: SampleRuns = await sampleRuns(samples, asked, frozen);
  return async (values: readonly Value[]): Promise<ReadonlyMap<Value, readonly RuntimeTensor[]>> => {
    const computed = new Map<Value, RuntimeTensor[]>(values.map((value) => [value, []]));
    for (let run = 0; run < runs.count; run++) {
      const { outputs } = await session.run(
        { ...(await runs.feeds(run)), ...constants },
        values.map(({ name }) => name),
      );
      for (const [value, parts] of computed) parts.push(outputs[value.name] as RuntimeTensor);
    }
    return computed;
  };
}

async function withOutputs<Result>(
  model: Model,
  added: readonly Value[],
  use: (model: Model) => Promise<Result>,
): Promise<Result> {
  const outputs = [...model.graph.outputs];
  model.graph.setOutputs([...outputs, ...added.filter((value) => !value.isGraphOutput)]);
  try {
    return await use(model);
  } finally {
    model.graph.setOutputs(outputs);
  }
}

/** In their order, each group of at most BATCH_BYTES or of one. */
function groups<Layer extends { readonly layer: string }>(
  layers: readonly Layer[],
  bytesOf: (layer: string) => number,
): Layer[][] {
  const result: Layer[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const layer of layers) {
    const own = bytesOf(layer.layer);
    if (bytes + own > BATCH_BYTES) {
      result.push([]);
      bytes = 0;
    }
    result.at(-1)?.push(layer);
    bytes += own;
  }
  return result;
}
