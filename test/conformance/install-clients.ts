/** Makes the environments of the Python clients, and of onnxruntime's quantizer and safetensors: `npx tsx test/conformance/install-clients.ts`. */
import { pythonWith } from '../support/python-environment.js';
import { QUANTIZATION_REQUIREMENTS } from '../support/quantization-python.js';
import { SAFETENSORS_REQUIREMENTS } from '../support/safetensors-python.js';
import { installClient, PYTHON_CLIENTS } from './python-clients.js';

for (const client of PYTHON_CLIENTS) {
  const begin = performance.now();
  installClient(client);
  process.stdout.write(`${client}: ${((performance.now() - begin) / 1000).toFixed(1)} s\n`);
}
for (const requirements of [QUANTIZATION_REQUIREMENTS, SAFETENSORS_REQUIREMENTS]) pythonWith(requirements);
