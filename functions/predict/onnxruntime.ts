import { createRequire } from 'node:module';
import type { InferenceSession } from 'onnxruntime-node';
import type { SessionSettings } from '../../lib/artifact/manifest.js';

export type OnnxRuntime = typeof import('onnxruntime-node');

/** Required, not imported: layers are found through NODE_PATH, which only `require` looks at. */
export function loadOnnxRuntime(): OnnxRuntime {
  // onnxruntime looks at it when its library is loaded.
  process.env.ORT_DISABLE_TELEMETRY = '1';
  return createRequire(import.meta.url)('onnxruntime-node');
}

/** Lambda gives one vCPU per this much memory, MB. https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html */
const MEMORY_PER_CPU = 1769;

/**
 * One thread per vCPU that the memory size buys, rounded: more cores are visible than a function may use, and at 3,008 MB a second thread
 * with 0.7 of a vCPU cut a transformer's runs by a quarter.
 */
export function threadsFor(memoryMegabytes: string | undefined): number {
  const memory = Number(memoryMegabytes);
  return Number.isFinite(memory) ? Math.max(1, Math.round(memory / MEMORY_PER_CPU)) : 1;
}

export function sessionOptions(settings: SessionSettings, threads: number): InferenceSession.SessionOptions {
  const { graphOptimizationLevel, enableCpuMemArena, enableMemPattern, configEntries } = settings;
  return {
    executionProviders: ['cpu'],
    graphOptimizationLevel: graphOptimizationLevel ?? 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Fatal ones only: its errors are thrown as well, and the lines that it writes of them quote values of requests.
    logSeverityLevel: 4,
    ...(enableCpuMemArena === undefined ? {} : { enableCpuMemArena }),
    ...(enableMemPattern === undefined ? {} : { enableMemPattern }),
    ...(configEntries === undefined ? {} : { extra: nestedByDots(configEntries) }),
  };
}

/** `{ 'session.disable_prepacking': '1' }` as `{ session: { disable_prepacking: '1' } }`, which is how onnxruntime-node takes it. */
function nestedByDots(entries: Readonly<Record<string, string>>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(entries)) {
    const path = key.split('.');
    const leaf = path.pop() ?? key;
    let branch = root;
    for (const part of path) {
      branch[part] ??= {};
      branch = branch[part] as Record<string, unknown>;
    }
    branch[leaf] = value;
  }
  return root;
}
