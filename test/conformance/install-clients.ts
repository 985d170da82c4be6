/** Makes the environments of the Python clients, of onnxruntime's quantizer, safetensors, moto, Triton's schema and mlserver: `npx tsx test/conformance/install-clients.ts`. */
import { MLSERVER } from '../support/mlserver.js';
import { MOTO } from '../support/moto.js';
import { pythonWith } from '../support/python-environment.js';
import { QUANTIZATION_REQUIREMENTS } from '../support/quantization-python.js';
import { SAFETENSORS_REQUIREMENTS } from '../support/safetensors-python.js';
import { TRITON_CLIENT } from '../support/triton-model-config.js';
import { installClient, PYTHON_CLIENTS } from './python-clients.js';

for (const client of PYTHON_CLIENTS) {
  const begin = performance.now();
  installClient(client);
  process.stdout.write(`${client}: ${((performance.now() - begin) / 1000).toFixed(1)} s\n`);
}
const LIBRARIES = [QUANTIZATION_REQUIREMENTS, SAFETENSORS_REQUIREMENTS, MOTO, TRITON_CLIENT, MLSERVER];
for (const requirements of LIBRARIES) pythonWith(requirements);
