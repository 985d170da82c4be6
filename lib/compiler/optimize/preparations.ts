/** What a search tries to make plans more accurate and models smaller, in order. */
import type { Architecture } from '../../artifact/manifest.js';
import type { PreparedModel } from '../build/prepare.js';
import type { DataSet } from '../data/data-set.js';
import { copyModel } from '../ir/copy.js';
import type { Tensor } from '../ir/tensor.js';
import { replaceWeights } from '../passes/replace-weights.js';
import { pruneModel } from '../prune/prune-model.js';
import { accuracyPreparations } from '../quantize/accuracy/preparations.js';
import { tensorDigest } from '../quantize/node-key.js';
import type { Preparation } from '../quantize/search/preparation.js';
import { inferTypes } from '../runtime/infer-types.js';
import { budgetJudge } from './prune-to-budget.js';

export interface PreparationOptions {
  readonly prepared: PreparedModel;
  /** What the plan is for: one plan serves all of them. */
  readonly architectures: readonly Architecture[];
  readonly evaluation: DataSet;
}

export function preparationsFor({ prepared, architectures, evaluation }: PreparationOptions): readonly Preparation[] {
  const { optimize } = prepared.configuration;
  const architecture = architectures.includes('x86_64') ? 'x86_64' : 'arm64';
  const accuracy = accuracyPreparations({ architecture });
  return optimize?.prune === true ? [pruning(prepared, evaluation), ...accuracy] : accuracy;
}

/** What pruning may lose leaves as much for the recipes that come after it. */
const SHARE_OF_BUDGET = 0.5;

/**
 * Takes out as much as half of the budget allows, once for the weights that it is given; the search chooses recipes for what is left.
 * Not the search's to leave out, which judges preparations by noise: pruning only ever adds some.
 */
function pruning(prepared: PreparedModel, evaluation: DataSet): Preparation {
  const known = new Map<string, ReadonlyMap<string, Tensor>>();
  const objective = prepared.configuration.optimize?.goal === 'size' ? 'size' : 'latency';
  return {
    name: 'pruning',
    stage: 'always',
    async apply({ model, plan, calibration, seed, signal }) {
      const key = [...plan.weights].map(([name, tensor]) => `${name} ${tensorDigest(tensor)}`).join('\n');
      let weights = known.get(key);
      if (weights === undefined) {
        const start = copyModel(model);
        replaceWeights(plan.weights).run(start);
        await inferTypes(start, { signal });
        await using judge = await budgetJudge(prepared, evaluation, { share: SHARE_OF_BUDGET, signal });
        const accept = judge.accepts.bind(judge);
        const pruned = await pruneModel(start, {
          method: 'structured',
          data: calibration,
          objective,
          accept,
          seed,
          signal,
        });
        weights = pruned.weights;
        known.set(key, weights);
      }
      return weights.size === 0 ? undefined : { ...plan, weights: new Map([...plan.weights, ...weights]) };
    },
  };
}
