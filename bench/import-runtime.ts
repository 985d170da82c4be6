/** How long the runtime of the layer takes to import, beside onnxruntime-node as published. */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { onnxruntimeLayerFolder } from '../lib/artifact/onnxruntime-package.js';

export interface RuntimeImportTimes {
  /** Milliseconds, one per run. */
  readonly slim: number[];
  readonly published: number[];
}

/**
 * Each import in a fresh process, the two in turn, after one of each that does not count: it brings the files into the page cache.
 *
 * @param layer folder of the layer for this machine's architecture. Default: the prepared one.
 */
export async function measureRuntimeImport(
  runs: number,
  layer = onnxruntimeLayerFolder(process.arch === 'arm64' ? 'arm64' : 'x86_64'),
): Promise<RuntimeImportTimes> {
  const slimEntry = join(layer, 'nodejs/node_modules/onnxruntime-node/index.js');
  const publishedEntry = createRequire(import.meta.url).resolve('onnxruntime-node');
  const times: RuntimeImportTimes = { slim: [], published: [] };
  for (let run = 0; run <= runs; run++) {
    const slim = importInFreshProcess(slimEntry);
    const published = importInFreshProcess(publishedEntry);
    if (run === 0) continue;
    times.slim.push(slim);
    times.published.push(published);
  }
  return times;
}

function importInFreshProcess(entry: string): number {
  const program = `const start = performance.now(); require(${JSON.stringify(entry)}); console.log(performance.now() - start);`;
  const output = execFileSync(process.execPath, ['-e', program], {
    encoding: 'utf8',
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
  });
  return Number(output);
}
