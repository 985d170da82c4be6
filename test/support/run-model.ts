/**
 * Runs a model in this process with onnxruntime-node, for comparisons in tests: one thread, and weights not repacked, because a MatMul
 * rounds differently on packed ones and onnxruntime packs constants only.
 */
import type { InferenceSession, OnnxValue } from 'onnxruntime-node';

import { PRODUCTS_SATURATE } from './saturating-cpu.js';

export interface RunOptions {
  /** Default `disabled`: what the file says, node by node. */
  readonly graphOptimizationLevel?: NonNullable<InferenceSession.SessionOptions['graphOptimizationLevel']>;
  /** Default all. */
  readonly outputs?: readonly string[];
}

/** @param model the bytes of an ONNX file, or its path */
export async function openModel(model: Uint8Array | string, options: RunOptions = {}): Promise<InferenceSession> {
  process.env.ORT_DISABLE_TELEMETRY = '1';
  const { InferenceSession } = await import('onnxruntime-node');
  const settings = (entries: Readonly<Record<string, string>>): InferenceSession.SessionOptions => ({
    graphOptimizationLevel: options.graphOptimizationLevel ?? 'disabled',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
    extra: { session: { disable_prepacking: '1', ...entries } },
  });
  const create = (entries: Readonly<Record<string, string>> = {}) =>
    typeof model === 'string'
      ? InferenceSession.create(model, settings(entries))
      : InferenceSession.create(model, settings(entries));
  // Slower kernels that are exact. Some graphs onnxruntime 1.30 cannot rewrite for them.
  return PRODUCTS_SATURATE ? create({ x64quantprecision: '1' }).catch(() => create()) : create();
}

/** One run of a fresh session. @param model the bytes of an ONNX file, or its path */
export async function runModel(
  model: Uint8Array | string,
  feeds: Readonly<Record<string, OnnxValue>>,
  options: RunOptions = {},
): Promise<Record<string, OnnxValue>> {
  const session = await openModel(model, options);
  try {
    return { ...(await session.run(feeds, options.outputs ?? session.outputNames)) };
  } finally {
    await session.release();
  }
}
