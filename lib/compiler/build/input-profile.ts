/** Records how the inputs of a model's samples are distributed, for functions to tell when requests are not like them. */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Json, readableJson } from '../../artifact/digest.js';
import {
  binOf,
  defaultStatistics,
  INPUT_PROFILE_FILE,
  INPUT_PROFILE_VERSION,
  type InputProfile,
  type InputStatistic,
  MAX_BINS,
  type NumericTensor,
  type ProfiledStatistic,
  statisticsOf,
} from '../../artifact/input-profile.js';
import type { Signature } from '../../artifact/manifest.js';
import { ConfigurationError } from '../../errors.js';
import type { DataSet } from '../data/data-set.js';
import { openDataSet } from '../data/open-data-set.js';
import { float16ToNumber } from '../ir/float16.js';
import type { RuntimeTensor } from '../runtime/session.js';
import type { PreparedModel } from './prepare.js';

/** More would not move a quantile that anybody sees. */
const MAX_SAMPLES = 2_000;
/**
 * An index of nothing but chance is about bins / values: with as many values for a bin it stays below 0.05, far from what an alarm goes off at.
 */
const VALUES_PER_BIN = 20;
const MIN_BINS = 3;
/** More digits than a float32 has. */
const DIGITS = 9;

/**
 * Writes `input-profile.json` where model.json has a `drift` section.
 *
 * @throws ConfigurationError DRIFT_INPUT_UNKNOWN, DRIFT_SAMPLES_TOO_FEW; DATA_… naming a file
 */
export async function writeInputProfile(
  { configuration, directory, frozen }: PreparedModel,
  signature: Signature,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  const { drift } = configuration;
  if (drift === undefined) return;
  const watched = watchedInputs(signature, drift.inputs);
  const data = await openDataSet(resolve(directory, drift.samples), {
    task: configuration.task,
    signature,
    frozenInputs: frozen.map(({ name }) => name),
    assets: directory,
    ...(signal === undefined ? {} : { signal }),
  });
  const profile: InputProfile = {
    schemaVersion: INPUT_PROFILE_VERSION,
    statistics: await profileOf(data, signature, watched),
  };
  await writeFile(join(folder, INPUT_PROFILE_FILE), readableJson(profile as unknown as Json));
}

type Watched = ReadonlyMap<string, readonly InputStatistic[]>;

function watchedInputs(
  { inputs }: Signature,
  given: Readonly<Record<string, readonly InputStatistic[]>> | undefined,
): Watched {
  const numeric = inputs.filter(({ dataType }) => dataType !== 'string');
  const unknown = Object.keys(given ?? {}).filter((name) => !numeric.some((input) => input.name === name));
  if (unknown.length > 0 || numeric.length === 0) {
    throw new ConfigurationError({
      code: 'DRIFT_INPUT_UNKNOWN',
      message:
        unknown.length > 0
          ? `"drift" of model.json names ${unknown.map((name) => `'${name}'`).join(', ')}, which are no numeric inputs of the model.`
          : 'model.json has a "drift" section, and the model has no numeric input.',
      advice:
        numeric.length === 0 ? 'Leave "drift" out.' : `It has ${numeric.map(({ name }) => `'${name}'`).join(', ')}.`,
    });
  }
  return new Map(
    numeric
      .filter(({ name }) => given === undefined || given[name] !== undefined)
      .map(({ name, shape }) => [name, given?.[name] ?? defaultStatistics(shape)]),
  );
}

/** Of the first samples of a set, which are in a stable order. */
export async function profileOf(
  data: DataSet,
  { inputs }: Signature,
  watched: Watched,
): Promise<readonly ProfiledStatistic[]> {
  const shapes = new Map(inputs.map(({ name, shape }) => [name, shape]));
  const found = new Map<string, number[]>();
  for await (const { steps } of data.read(data.ids.slice(0, MAX_SAMPLES))) {
    for (const feeds of steps) {
      for (const [input, statistics] of watched) {
        const tensor = feeds[input];
        if (tensor === undefined) continue;
        const values = statisticsOf(numericTensor(tensor), shapes.get(input) ?? null, statistics);
        for (const statistic of statistics) {
          const key = JSON.stringify([input, statistic]);
          const all = found.get(key) ?? [];
          found.set(key, all);
          for (const value of values[statistic] ?? []) if (Number.isFinite(value)) all.push(value);
        }
      }
    }
  }
  return [...watched].flatMap(([input, statistics]) =>
    statistics.map((statistic) => profiled(input, statistic, found.get(JSON.stringify([input, statistic])) ?? [])),
  );
}

function profiled(input: string, statistic: InputStatistic, values: readonly number[]): ProfiledStatistic {
  const bins = Math.min(MAX_BINS, Math.floor(values.length / VALUES_PER_BIN));
  if (bins < MIN_BINS) {
    throw new ConfigurationError({
      code: 'DRIFT_SAMPLES_TOO_FEW',
      message: `The samples of "drift" in model.json give ${values.length} values of the ${statistic} of '${input}'.`,
      advice: `Give ${MIN_BINS * VALUES_PER_BIN} at least, better ${MAX_BINS * VALUES_PER_BIN}: fewer look like drift by chance alone.`,
    });
  }
  const sorted = Float64Array.from(values).sort();
  const quantiles = Array.from({ length: bins - 1 }, (_, index) => {
    const value = sorted[Math.floor(((index + 1) * sorted.length) / bins)] ?? 0;
    return Number(value.toPrecision(DIGITS));
  });
  // A value that is there often is several quantiles at once.
  const edges = quantiles.filter((edge, index) => index === 0 || edge > (quantiles[index - 1] ?? edge));
  const counts = new Array<number>(edges.length + 1).fill(0);
  for (const value of values) counts[binOf(edges, value)] = (counts[binOf(edges, value)] ?? 0) + 1;
  return { input, statistic, edges, counts };
}

function numericTensor({ dims, data, dataType }: RuntimeTensor): NumericTensor {
  const elements = data as Exclude<RuntimeTensor['data'], readonly string[]>;
  const at =
    dataType === 'float16'
      ? (index: number) => float16ToNumber(Number(elements[index]))
      : (index: number) => Number(elements[index]);
  return { length: elements.length, at, shape: dims };
}
