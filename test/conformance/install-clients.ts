/** Makes the environments of Python that tests use, before they start: `npx tsx test/conformance/install-clients.ts`, all or those that are named. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { CFN_LINT } from '../support/cfn-lint.js';
import { MINISTACK } from '../support/ministack.js';
import { MLSERVER } from '../support/mlserver.js';
import { MOTO } from '../support/moto.js';
import { pythonWith } from '../support/python-environment.js';
import { QUANTIZATION_REQUIREMENTS } from '../support/quantization-python.js';
import { SAFETENSORS_REQUIREMENTS } from '../support/safetensors-python.js';
import { TRITON_CLIENT } from '../support/triton-model-config.js';
import { installClient } from './python-clients.js';

/** The largest first. */
const ENVIRONMENTS = new Map<string, () => string>([
  ['kserve', () => installClient('kserve')],
  ['mlserver', () => pythonWith(MLSERVER)],
  ['tritonclient', () => installClient('tritonclient')],
  ['schemathesis', () => installClient('schemathesis')],
  ['quantizer', () => pythonWith(QUANTIZATION_REQUIREMENTS)],
  ['moto', () => pythonWith(MOTO)],
  ['ministack', () => pythonWith(MINISTACK)],
  ['cfn-lint', () => pythonWith(CFN_LINT)],
  ["Triton's schema", () => pythonWith(TRITON_CLIENT)],
  ['safetensors', () => pythonWith(SAFETENSORS_REQUIREMENTS)],
]);
/** pip waits for the network by turns, and compiles what it got. */
const AT_A_TIME = 2;

const names = process.argv.slice(2);
if (names.length > 0) for (const name of names) install(name);
else {
  const waiting = [...ENVIRONMENTS.keys()];
  const lane = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const child = spawn(process.execPath, [...process.execArgv, import.meta.filename, name], { stdio: 'inherit' });
      const [code] = await once(child, 'exit');
      if (code !== 0) process.exitCode = 1;
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
}

function install(name: string): void {
  const begin = performance.now();
  const make = ENVIRONMENTS.get(name);
  if (make === undefined) throw new Error(`${name} is none of ${[...ENVIRONMENTS.keys()].join(', ')}`);
  make();
  process.stdout.write(`${name}: ${((performance.now() - begin) / 1000).toFixed(1)} s\n`);
}
