/** From the moment Lambda's runtime loads our code to the first correct prediction, beside what people do without us, and what they pay. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildFunctions } from '../functions/build.mjs';
import { prepareModel } from './cold-start/models.js';
import { startOnce } from './cold-start/start.js';
import { floor, ours, plainNode, plainPython, type Subject } from './cold-start/subjects.js';
import { coldStartOf } from './cold-start/timings.js';
import { lambdaRuntimeClient } from './lambda-runtime-client.js';
import { node24 } from './node24.js';
import type { Suite } from './suite.js';

export const coldStart: Suite = {
  name: 'cold-start',
  versions: async () => ({}),
  async run(context) {
    process.env.NODE24 = node24();
    process.env.AWS_LAMBDA_RIC = lambdaRuntimeClient();
    const { openSandbox } = await import('../test/support/sandbox/sandbox.js');
    const cache = join(import.meta.dirname, '../.cache');
    mkdirSync(cache, { recursive: true });
    const folder = mkdtempSync(join(cache, 'cold-start-'));
    try {
      await buildFunctions({ outputDirectory: join(folder, 'functions') });
      for (const name of ['faces', 'silero', 'transformer'] as const) {
        if (!context.wants(name)) continue;
        const model = await prepareModel(name, folder);
        const options = { model, functionFolder: join(folder, 'functions'), parent: join(folder, `${name}-subjects`) };
        const own = await ours('fp32', options);
        const subjects: Subject[] = [own, plainNode(options), plainPython(options), floor(own, 1769, options), await ours('fp16', options)];
        for (let round = 0; round < 3; round++) {
        for (const subject of subjects) {
          const sandbox = openSandbox(subject.client === undefined ? {} : { client: subject.client });
          const begin = performance.now();
          const lines = await startOnce(subject, { runtime: sandbox.runtime, memoryMiB: 1769, expected: model.expected });
          console.error(subject.name, Math.round(performance.now() - begin), JSON.stringify(coldStartOf(lines)));
          sandbox.remove();
        }
        }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
