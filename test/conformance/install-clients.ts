/** Makes the environments of Python that tests use, before they start: `npx tsx test/conformance/install-clients.ts`. */
import { CFN_LINT } from '../support/cfn-lint.js';
import { MINISTACK } from '../support/ministack.js';
import { MLSERVER } from '../support/mlserver.js';
import { MOTO } from '../support/moto.js';
import { makePythonWith } from '../support/python-environment.js';
import { QUANTIZATION_REQUIREMENTS } from '../support/quantization-python.js';
import { SAFETENSORS_REQUIREMENTS } from '../support/safetensors-python.js';
import { TRITON_CLIENT } from '../support/triton-model-config.js';
import { requirementsOf } from './python-clients.js';

/** The largest first. */
const waiting: [string, readonly string[]][] = [
  ['kserve', requirementsOf('kserve')],
  ['mlserver', MLSERVER],
  ['tritonclient', requirementsOf('tritonclient')],
  ['schemathesis', requirementsOf('schemathesis')],
  ["onnxruntime's quantizer", QUANTIZATION_REQUIREMENTS],
  ['moto', MOTO],
  ['ministack', MINISTACK],
  ['cfn-lint', CFN_LINT],
  ["Triton's schema", TRITON_CLIENT],
  ['safetensors', SAFETENSORS_REQUIREMENTS],
];
/** pip waits for the network by turns, and compiles what it got. */
const AT_A_TIME = 2;

async function installFromQueue(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const begin = performance.now();
    await makePythonWith(next[1]);
    process.stdout.write(`${next[0]}: ${((performance.now() - begin) / 1000).toFixed(1)} s\n`);
  }
}
await Promise.all(Array.from({ length: AT_A_TIME }, installFromQueue));
