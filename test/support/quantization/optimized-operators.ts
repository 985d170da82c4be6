/** What onnxruntime makes of a model when it loads it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InferenceSession } from 'onnxruntime-node';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { nodesOf } from '../../../lib/compiler/ir/traversal.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';

/** Operators of the optimized graph, subgraphs included, in its order. */
export async function optimizedOperators(
  model: Model,
  level: NonNullable<InferenceSession.SessionOptions['graphOptimizationLevel']> = 'all',
): Promise<string[]> {
  const { InferenceSession } = await import('onnxruntime-node');
  const folder = mkdtempSync(join(tmpdir(), 'optimized-'));
  try {
    const optimizedModelFilePath = join(folder, 'optimized.onnx');
    const options = { graphOptimizationLevel: level, optimizedModelFilePath, logSeverityLevel: 4 } as const;
    await (await InferenceSession.create(modelToBytes(model), options)).release();
    return [...nodesOf(await readOnnx(optimizedModelFilePath))].map((node) => node.opType);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
