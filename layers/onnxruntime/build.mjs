/** The slim runtime as a Lambda layer. */
import { join } from 'node:path';
import { writeSlimRuntime } from './slim-runtime.mjs';

/** Lambda's names of its processors, and Node.js's. */
const NODE_ARCHITECTURE = { arm64: 'arm64', x86_64: 'x64' };

/**
 * Writes `nodejs/node_modules/onnxruntime-node/` below `outputDirectory`: what Lambda unpacks to /opt.
 * The same installed onnxruntime-node gives the same bytes.
 *
 * @param {{ architecture: 'arm64' | 'x86_64', outputDirectory: string }} options
 */
export async function buildOnnxRuntimeLayer({ architecture, outputDirectory }) {
  const nodeArchitecture = NODE_ARCHITECTURE[architecture];
  if (nodeArchitecture === undefined) {
    throw new RangeError(`architecture: '${architecture}' is none of ${Object.keys(NODE_ARCHITECTURE).join(', ')}`);
  }
  await writeSlimRuntime({
    platform: 'linux',
    nodeArchitecture,
    outputDirectory: join(outputDirectory, 'nodejs/node_modules/onnxruntime-node'),
  });
}
