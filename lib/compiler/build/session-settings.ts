/** The session options that an artifact carries. */
import type { Architecture, SessionSettings } from '../../artifact/manifest.js';
import type { ModelConfiguration } from '../../artifact/schema.js';
import type { Model } from '../ir/model.js';
import { graphsOf, nodesOf } from '../ir/traversal.js';

/** Weights from which packing them at load costs more than a cold start can bear. */
const LARGE_BYTES = 32_000_000;

const WITHOUT_PREPACKING = { configEntries: { 'session.disable_prepacking': '1' } };

export interface SettingsOptions {
  readonly architecture?: Architecture;
  /** Whether the source was a file of another framework. Default false. */
  readonly isConverted?: boolean;
}

/** Operators that run several times as long without what onnxruntime makes of them above `basic`. */
const NEED_MORE_THAN_BASIC = /Conv|Pool|[Qq]uantizeLinear$|^QLinear/;

/**
 * `session` of model.json if it is there. Else everything that onnxruntime optimizes. From 32 MB of weights on without prepacking, which
 * copies every weight into another layout before the first run; and, without convolutions and quantization, no further than `basic`: our
 * passes have fused what else is to be gained, and looking for it in a transformer takes longer than any run would save.
 *
 * A network that another framework quantized stays at `basic` on x86_64, where it is computed in float32 between its roundings: there,
 * onnxruntime's integer products saturate on a CPU without VNNI, and nothing was done about its weights (33 of 256 steps on a small
 * classifier, against 3).
 */
export function sessionSettingsFor(
  model: Model,
  { session }: Pick<ModelConfiguration, 'session'>,
  { architecture, isConverted = false }: SettingsOptions = {},
): SessionSettings {
  if (session !== undefined) return session;
  const graphs = graphsOf(model);
  const bytes = graphs
    .flatMap((graph) => [...graph.initializers])
    .reduce((sum, value) => sum + (value.initializer?.byteLength ?? 0), 0);
  if (isConverted && architecture === 'x86_64' && isQuantized(model)) {
    return { graphOptimizationLevel: 'basic', ...(bytes < LARGE_BYTES ? {} : WITHOUT_PREPACKING) };
  }
  if (bytes < LARGE_BYTES) return { graphOptimizationLevel: 'all' };
  const needsMore = graphs.some((graph) => graph.nodes.some(({ opType }) => NEED_MORE_THAN_BASIC.test(opType)));
  return {
    graphOptimizationLevel: needsMore ? 'all' : 'basic',
    ...WITHOUT_PREPACKING,
  };
}

/** Whether activations are stored as integers somewhere. */
export function isQuantized(model: Model): boolean {
  return [...nodesOf(model)].some((node) => node.is('QuantizeLinear'));
}
