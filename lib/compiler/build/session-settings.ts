/** The session options that an artifact carries. */
import type { SessionSettings } from '../../artifact/manifest.js';
import type { ModelConfiguration } from '../../artifact/schema.js';
import type { Model } from '../ir/model.js';
import { graphsOf } from '../ir/traversal.js';

/** Weights from which packing them at load costs more than a cold start can bear. */
const PREPACKING_LIMIT_BYTES = 32_000_000;

/**
 * `session` of model.json if it is there. Else everything that onnxruntime optimizes; from 32 MB of weights on without prepacking, which
 * copies every weight into another layout before the first run.
 */
export function sessionSettingsFor(model: Model, { session }: Pick<ModelConfiguration, 'session'>): SessionSettings {
  if (session !== undefined) return session;
  const bytes = graphsOf(model)
    .flatMap((graph) => [...graph.initializers])
    .reduce((sum, value) => sum + (value.initializer?.byteLength ?? 0), 0);
  const all = { graphOptimizationLevel: 'all' } as const;
  return bytes < PREPACKING_LIMIT_BYTES ? all : { ...all, configEntries: { 'session.disable_prepacking': '1' } };
}
