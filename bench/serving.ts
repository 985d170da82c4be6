/** Serving: what the predict function costs beside bare `session.run` and FastAPI, how fast it decodes, what callers see over HTTP. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildArtifact } from '../lib/compiler/build.js';
import { HOST_ARCHITECTURE, prepareFunction } from '../test/support/predict-function.js';
import { decodeCost } from './serving/decode-cost.js';
import { handlerCost } from './serving/handler-cost.js';
import { httpLoad } from './serving/http-load.js';
import { PEERS } from './serving/peers.js';
import { requestMutations } from './serving/request-mutations.js';
import type { Suite } from './suite.js';

const root = join(import.meta.dirname, '..');

export const serving: Suite = {
  name: 'serving',
  versions: async () =>
    Object.fromEntries(
      Object.values(PEERS)
        .flat()
        .map((requirement) => requirement.split('==')),
    ),
  async run(context) {
    if (context.wants('decode')) decodeCost(context);
    if (context.wants('mutations')) await requestMutations(context);
    if (!context.wants('handler') && !context.wants('http')) return;
    const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-bench-'));
    const prepared = await prepareFunction();
    try {
      const artifact = join(folder, 'faces');
      const modelDirectory = join(root, 'models/faces');
      await buildArtifact({ modelDirectory, outputDirectory: artifact, architecture: HOST_ARCHITECTURE });
      if (context.wants('handler')) handlerCost(context, { functionFolder: prepared.folder, artifact });
      if (context.wants('http')) await httpLoad(context, { artifact, folder });
    } finally {
      prepared.remove();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
