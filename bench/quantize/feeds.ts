/** A data set as plain arrays for other people's tools: one row a run, the states of sequences as the original model makes them. */

import { renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DataSet } from '../../lib/compiler/data/data-set.js';
import { openSession, type RuntimeTensor } from '../../lib/compiler/runtime/session.js';
import { type NpzArray, writeNpz } from './data/npz.js';

export interface DumpOptions {
  /** Path of the original model, for the states of sequences. */
  readonly original: string;
  /** The first samples of the set, or all. */
  readonly samples: number;
}

/** @throws Error for tensors that .npz files of the bench do not hold */
export async function dumpFeeds(data: DataSet, target: string, { original, samples }: DumpOptions): Promise<void> {
  const rows = new Map<string, RuntimeTensor[]>();
  const carried = Object.entries(data.carried);
  await using session = carried.length > 0 ? await openSession(original) : undefined;
  for await (const sample of data.read(data.ids.slice(0, samples))) {
    let state: Record<string, RuntimeTensor> = {};
    for (const step of sample.steps) {
      const feeds = { ...step, ...state };
      for (const [name, tensor] of Object.entries(feeds)) rows.set(name, [...(rows.get(name) ?? []), tensor]);
      if (session === undefined) continue;
      const { outputs } = await session.run(feeds);
      state = Object.fromEntries(
        carried.flatMap(([input, output]) => (outputs[output] === undefined ? [] : [[input, outputs[output]]])),
      );
    }
  }
  const unfinished = join(dirname(target), `unfinished-${process.pid}.npz`);
  writeNpz(unfinished, [...rows].map(stacked));
  renameSync(unfinished, target);
}

function stacked([name, tensors]: [string, readonly RuntimeTensor[]]): NpzArray {
  const [first] = tensors;
  const dims = [tensors.length, ...(first?.dims ?? [])];
  const length = dims.slice(1).reduce((product, dim) => product * dim, 1);
  const isFloat = first?.dataType === 'float32';
  if (!isFloat && first?.dataType !== 'int64') throw new Error(`${name} is ${first?.dataType}`);
  const data = isFloat ? new Float32Array(tensors.length * length) : new BigInt64Array(tensors.length * length);
  for (const [row, tensor] of tensors.entries()) {
    if (tensor.data.length !== length) throw new Error(`${name} has samples of different sizes`);
    data.set(tensor.data as never, row * length);
  }
  return { name, dims, data };
}
