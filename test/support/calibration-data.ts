/** Data sets in memory and prepared models, for tests of what reads samples and values. */
import type { DataSet, Feeds, Sample } from '../../lib/compiler/data/data-set.js';
import type { Model } from '../../lib/compiler/ir/model.js';
import type { Value } from '../../lib/compiler/ir/value.js';
import { runPasses } from '../../lib/compiler/passes/pass.js';
import { lossless, normalize } from '../../lib/compiler/passes/presets.js';
import { readModel } from '../../lib/compiler/readers/read-model.js';
import { inferTypes } from '../../lib/compiler/runtime/infer-types.js';
import type { RuntimeTensor } from '../../lib/compiler/runtime/session.js';
import { type RealModelName, realModels } from './real-models.js';

export function floats(dims: readonly number[], data: ArrayLike<number>): RuntimeTensor {
  return { dataType: 'float32', dims, data: Float32Array.from(data) };
}

/** One sample per list of steps, named by its index. */
export function dataSet(samples: readonly (readonly Feeds[])[], carried: DataSet['carried'] = {}): DataSet {
  const list: readonly Sample[] = samples.map((steps, index) => ({ id: String(index), steps }));
  return {
    ids: list.map(({ id }) => id),
    digest: '',
    isSynthetic: true,
    carried,
    async *read(ids) {
      yield* list.filter(({ id }) => ids === undefined || ids.includes(id));
    },
  };
}

/** As `build` makes it of a source, with types. */
export async function prepared(name: RealModelName): Promise<Model> {
  const model = await readModel(realModels[name]);
  await runPasses(model, normalize());
  await inferTypes(model);
  await runPasses(model, lossless());
  await inferTypes(model);
  return model;
}

/** Names of float32 inputs and of what nodes of the main graph compute. */
export function floatValues({ graph }: Model): string[] {
  return [...graph.inputs, ...graph.nodes.flatMap(({ outputs }) => outputs)]
    .filter((value): value is Value => value?.elementType === 'float32')
    .map(({ name }) => name);
}
