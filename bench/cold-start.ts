/** From the moment Lambda's runtime loads our code to the first correct prediction, beside what people do without us, and what they pay. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildFunctions } from '../functions/build.mjs';
import { comparePeers } from './cold-start/compare-peers.js';
import { MODEL_NAMES, prepareModel } from './cold-start/models.js';
import { PYTHON_REQUIREMENTS } from './cold-start/subjects.js';
import { whatPeoplePay } from './cold-start/what-people-pay.js';
import { lambdaRuntimeClient } from './lambda-runtime-client.js';
import { node24 } from './node24.js';
import type { Suite } from './suite.js';

/** File caches are dropped for the largest model alone; the others' cost is the runtime's. */
const COLD_FILES = 'transformer';

export const coldStart: Suite = {
  name: 'cold-start',
  async versions() {
    const lambdaNode = execFileSync(node24(), ['--version'], { encoding: 'utf8' }).trim();
    const python = PYTHON_REQUIREMENTS.map((requirement) => requirement.split('=='));
    return { "Lambda's Node": lambdaNode, ...Object.fromEntries(python) };
  },
  async run(context) {
    // The sandbox looks at them when it is imported.
    process.env.NODE24 = node24();
    process.env.AWS_LAMBDA_RIC = lambdaRuntimeClient();
    const { openSandbox } = await import('../test/support/sandbox/sandbox.js');
    // Not the system's temporary folder: files in memory would have no caches to drop.
    const cache = join(import.meta.dirname, '../.cache');
    mkdirSync(cache, { recursive: true });
    const folder = mkdtempSync(join(cache, 'cold-start-'));
    try {
      const functionFolder = join(folder, 'functions');
      await buildFunctions({ outputDirectory: functionFolder });
      for (const name of MODEL_NAMES) {
        const isWarm = context.wants(name);
        const isCold = name === COLD_FILES && context.wants(`${name}-cold`);
        const isPaid = context.wants('cost');
        if (!isWarm && !isCold && !isPaid) continue;
        const model = await prepareModel(name, folder);
        const options = { model, functionFolder, parent: join(folder, `${name}-subjects`), openSandbox };
        if (isWarm || isCold) await comparePeers(context, options, { isWarm, isCold });
        if (isPaid) await whatPeoplePay(context, options);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
