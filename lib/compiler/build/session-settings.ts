/** The session options that an artifact carries. */
import type { SessionSettings } from '../../artifact/manifest.js';
import type { ModelConfiguration } from '../../artifact/schema.js';
import type { Model } from '../ir/model.js';
import { graphsOf } from '../ir/traversal.js';

/** Weights from which packing them at load costs more than a cold start can bear. */
const LARGE_BYTES = 32_000_000;

/** Operators that run several times as long without what onnxruntime makes of them above `basic`. */
const NEED_MORE_THAN_BASIC = /Conv|Pool|[Qq]uantizeLinear$|^QLinear/;

/**
 * `session` of model.json if it is there. Else everything that onnxruntime optimizes. From 32 MB of weights on without prepacking, which
 * copies every weight into another layout before the first run; and, without convolutions and quantization, no further than `basic`: our
 * passes have fused what else is to be gained, and looking for it in a transformer takes longer than any run would save.
 */
export function sessionSettingsFor(model: Model, { session }: Pick<ModelConfiguration, 'session'>): SessionSettings {
  if (session !== undefined) return session;
  const graphs = graphsOf(model);
  const bytes = graphs
    .flatMap((graph) => [...graph.initializers])
    .reduce((sum, value) => sum + (value.initializer?.byteLength ?? 0), 0);
  if (bytes < LARGE_BYTES) return { graphOptimizationLevel: 'all' };
  const needsMore = graphs.some((graph) => graph.nodes.some(({ opType }) => NEED_MORE_THAN_BASIC.test(opType)));
  return {
    graphOptimizationLevel: needsMore ? 'all' : 'basic',
    configEntries: { 'session.disable_prepacking': '1' },
  };
}
