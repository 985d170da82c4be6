/** What onnxruntime makes of a model when it loads it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import type { Model } from '../../lib/compiler/ir/model.js';
import { readOnnx } from '../../lib/compiler/readers/onnx.js';

/** @param level `extended` shows fused operators without rewriting their layout for this CPU */
export async function optimizedModel(
  bytes: Uint8Array,
  level: 'basic' | 'extended' | 'all' = 'extended',
): Promise<Model> {
  const folder = mkdtempSync(join(tmpdir(), 'optimized-'));
  try {
    const optimizedModelFilePath = join(folder, 'optimized.onnx');
    const options = { graphOptimizationLevel: level, optimizedModelFilePath, logSeverityLevel: 4 } as const;
    await (await InferenceSession.create(bytes, options)).release();
    const model = await readOnnx(optimizedModelFilePath);
    // Weights are read on demand, and the file goes away.
    for (const value of model.graph.initializers) value.initializer?.bytes();
    return model;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Operator types, in order. */
export async function optimizedOperators(bytes: Uint8Array, level?: 'basic' | 'extended' | 'all'): Promise<string[]> {
  return (await optimizedModel(bytes, level)).graph.nodes.map((node) => node.opType);
}
