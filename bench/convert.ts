/** Models of other frameworks, converted and held against what their sources compute; tf2onnx beside us. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import {
  ARCHITECTURES,
  type Architecture,
  CONVERSION_REQUIREMENTS,
  prepareArchitecture,
} from './convert/architectures.js';
import { mutations } from './convert/mutations.js';
import { compareNetworks } from './convert/networks.js';
import { comparePeer } from './convert/peer.js';
import { quantizedNetwork } from './convert/quantized-network.js';
import { realModels } from './convert/real-models.js';
import type { Suite, SuiteContext } from './suite.js';

const prepare = join(import.meta.dirname, '../bin/prepare.mjs');
/** Networks that TensorFlow makes side by side. */
const AT_A_TIME = 2;

/** Cases: `networks` and `peer`, for all networks or those that are named beside; `int8`; `real-models`; `mutations`. */
export const convert: Suite = {
  name: 'convert',
  async versions() {
    return Object.fromEntries(CONVERSION_REQUIREMENTS.map((requirement) => requirement.split('==')));
  },
  async run(context) {
    // What is run is what is shipped.
    execFileSync(process.execPath, [prepare, '--only', 'lib'], { stdio: ['ignore', 'ignore', 'inherit'] });
    if (context.wants('networks') || context.wants('peer')) {
      const architectures = await prepareAll(context);
      if (context.wants('networks')) await compareNetworks(context, architectures);
      if (context.wants('peer')) await comparePeer(context, architectures);
    }
    if (context.wants('int8')) await quantizedNetwork(context);
    if (context.wants('real-models')) await realModels(context);
    if (context.wants('mutations')) await mutations(context);
  },
};

async function prepareAll({ wants, note }: SuiteContext): Promise<Architecture[]> {
  const named = ARCHITECTURES.filter((name) => wants(name));
  const open = [...(named.length === 0 ? ARCHITECTURES : named)];
  const made: Architecture[] = [];
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      for (let name = open.shift(); name !== undefined; name = open.shift()) {
        note(`preparing ${name}`);
        made.push(await prepareArchitecture(name));
      }
    }),
  );
  return made.sort((a, b) => a.name.localeCompare(b.name));
}
