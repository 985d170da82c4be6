/** Parts of data sets, as data sets of their own. */
import { sha256 } from '../../artifact/digest.js';
import { dataError } from './data-error.js';
import type { DataSet, Label } from './data-set.js';
import { FileDataSet } from './file-data-set.js';

/** Those samples, in that order. @throws ConfigurationError DATA_ID_UNKNOWN */
export function subset(data: DataSet, ids: readonly string[]): DataSet {
  if (data instanceof FileDataSet) return data.subset(ids);
  const known = new Set(data.ids);
  const stranger = ids.find((id) => !known.has(id));
  if (stranger !== undefined) {
    throw dataError(
      'DATA_ID_UNKNOWN',
      `The data set has no sample ${JSON.stringify(stranger.slice(0, 200))}.`,
      'Take ids from `ids`.',
    );
  }
  const { isSynthetic, carried } = data;
  return {
    ids,
    digest: sha256(JSON.stringify([data.digest, ids])),
    isSynthetic,
    carried,
    read: (some = ids) => data.read(some),
  };
}

export interface SplitOptions {
  /** `group` keeps samples of one group (`Sample.group`) in one part, for sets whose samples of a group are alike. Default: sample by sample. */
  readonly together?: 'group';
}

/**
 * Disjoint parts whose shares are `fractions` of the whole, to the nearest sample; what is left over goes nowhere. Samples are ordered by
 * the sha256 of seed and id, within each class where samples have classes, so that every part has each class's share: the same set and seed
 * give the same parts on every machine. Parts keep the set's order.
 * @param fractions each above 0, together at most 1
 * @throws ConfigurationError DATA_SPLIT_INVALID
 */
export async function splitDataSet<const F extends readonly number[]>(
  data: DataSet,
  fractions: F,
  seed: number,
  { together }: SplitOptions = {},
): Promise<{ readonly [K in keyof F]: DataSet }> {
  const sum = fractions.reduce((total, fraction) => total + fraction, 0);
  if (fractions.length === 0 || fractions.some((fraction) => !(fraction > 0)) || sum > 1 + 1e-9) {
    throw dataError(
      'DATA_SPLIT_INVALID',
      `A data set cannot be split into shares of ${fractions.join(', ')}.`,
      'Give shares above 0 that are at most 1 together.',
    );
  }
  const units = await unitsOf(data, together);
  const parts = fractions.map(() => new Set<string>());
  for (const stratum of strataOf(units).values()) {
    const ordered = stratum
      .map((unit) => ({ unit, key: sha256(`${seed}\0${unit.key}`) }))
      .sort((one, other) => (one.key < other.key ? -1 : 1))
      .map(({ unit }) => unit);
    const total = ordered.reduce((count, { ids }) => count + ids.length, 0);
    let next = 0;
    let taken = 0;
    let share = 0;
    for (const [index, fraction] of fractions.entries()) {
      share += fraction;
      const limit = Math.round(total * Math.min(1, share));
      for (; next < ordered.length && taken < limit; next++) {
        for (const id of ordered[next]?.ids ?? []) parts[index]?.add(id);
        taken += ordered[next]?.ids.length ?? 0;
      }
    }
  }
  const sets = parts.map((part) =>
    subset(
      data,
      data.ids.filter((id) => part.has(id)),
    ),
  );
  return sets as unknown as { readonly [K in keyof F]: DataSet };
}

interface Unit {
  readonly key: string;
  readonly ids: string[];
  /** '' where there is no class. */
  readonly stratum: string;
}

async function unitsOf(data: DataSet, together: SplitOptions['together']): Promise<readonly Unit[]> {
  const units = new Map<string, Unit>();
  for await (const { id, label, group } of describe(data)) {
    const isGrouped = together === 'group' && group !== undefined;
    const key = isGrouped ? `group ${group}` : `sample ${id}`;
    const unit = units.get(key);
    if (unit !== undefined) unit.ids.push(id);
    else units.set(key, { key, ids: [id], stratum: label?.kind === 'class' && !isGrouped ? String(label.index) : '' });
  }
  return [...units.values()];
}

function strataOf(units: readonly Unit[]): ReadonlyMap<string, Unit[]> {
  const strata = new Map<string, Unit[]>();
  for (const unit of units) {
    const stratum = strata.get(unit.stratum);
    if (stratum !== undefined) stratum.push(unit);
    else strata.set(unit.stratum, [unit]);
  }
  return strata;
}

async function* describe(
  data: DataSet,
): AsyncGenerator<{ readonly id: string; readonly label?: Label | undefined; readonly group?: string | undefined }> {
  if (!(data instanceof FileDataSet)) {
    yield* data.read();
    return;
  }
  for await (const [id, label] of data.labels()) yield { id, label, group: data.groupOf(id) };
}
