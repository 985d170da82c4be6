/** NVIDIA's client of Open Inference Protocol V2, unchanged, against a served endpoint. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { PythonWorker } from '../support/python-worker.js';
import { DATATYPES, type ServedEndpoint, serveModels } from './endpoint.js';
import { pythonCases } from './python-cases.js';
import { clientPython } from './python-clients.js';

let endpoint: ServedEndpoint | undefined;
let client: PythonWorker | undefined;

beforeAll(async () => {
  const python = clientPython('tritonclient');
  if (python === undefined) return;
  endpoint = await serveModels(['datatypes']);
  client = new PythonWorker(python, join(import.meta.dirname, 'tritonclient_cases.py'));
  await client.call('connect', { url: endpoint.url });
}, 600_000);
afterAll(async () => {
  await client?.stop();
  await endpoint?.close();
});

const conforms = pythonCases(() => client);

describe('tritonclient: the server', () => {
  conforms('is live', 'server_live');
  conforms('is ready', 'server_ready');
  conforms('has metadata', 'server_metadata');
});

describe('tritonclient: a model', () => {
  conforms('is ready', 'model_ready', { version: '' });
  conforms('is ready in its version', 'model_ready', { version: '2' });
  conforms('is not ready in another version', 'model_not_ready', { model: 'datatypes', version: '3' });
  conforms('that is not there is not ready', 'model_not_ready', { model: 'nobody', version: '' });
  conforms('has metadata', 'model_metadata', { version: '' });
  conforms('has metadata of its version', 'model_metadata', { version: '2' });
});

for (const datatype of Object.keys(DATATYPES)) {
  describe(`tritonclient: infer with ${datatype}`, () => {
    conforms('in JSON form', 'infer', { datatype, input_form: 'json', output_form: 'json' });
    conforms('in binary form', 'infer', { datatype, input_form: 'binary', output_form: 'binary' });
    conforms('in JSON, out binary', 'infer', { datatype, input_form: 'json', output_form: 'binary' });
    conforms('in binary, out JSON', 'infer', { datatype, input_form: 'binary', output_form: 'json' });
    if (datatype.startsWith('FP')) conforms('with NaN and infinities in binary form', 'infer_non_finite', { datatype });
    if (datatype === 'BYTES') conforms("from numpy's own type of bytes", 'infer_bytes_type');
  });
}

describe('tritonclient: infer with every data type at once', () => {
  conforms('in JSON form', 'infer_all', { input_form: 'json', output_form: 'json' });
  conforms('in binary form', 'infer_all', { input_form: 'binary', output_form: 'binary' });
  conforms('in both forms mixed, in and out', 'infer_all', { input_form: 'mixed', output_form: 'mixed' });
  conforms('and every output, unasked', 'infer_all_outputs_unasked');
});

describe('tritonclient: a request', () => {
  conforms('gets the outputs that it asks for, in its order', 'requested_outputs_order');
  conforms('gets its id back', 'request_id');
  conforms('may name the version', 'infer_version');
  conforms('has dynamic dimensions of one row', 'dynamic_dimensions', { rows: 1, columns: 1 });
  conforms('has dynamic dimensions of many rows', 'dynamic_dimensions', { rows: 17, columns: 31 });
  conforms('has dynamic dimensions of no row', 'dynamic_dimensions', { rows: 0, columns: 4 });
  conforms('may have parameters of its own', 'parameters');
  conforms('may go out beside others', 'asynchronous');
  conforms('may have a tensor of 1 MB', 'large');
  conforms('may ask for compression, which is declined', 'response_compression_declined');
});

describe('tritonclient: an error is an InferenceServerException with status and message', () => {
  conforms('for an unknown model', 'error_unknown_model');
  conforms('for an unknown version', 'error_unknown_version');
  conforms('for a missing input', 'error_missing_input');
  conforms('for a wrong data type', 'error_wrong_datatype');
  conforms('for a wrong rank', 'error_wrong_rank');
  conforms('for an unknown output', 'error_unknown_output');
  conforms('for bytes that are not UTF-8', 'error_not_utf8');
  conforms('for bytes with a NUL', 'error_nul');
  conforms('for the classification extension', 'error_classification');
  conforms('for the shared memory extension', 'error_shared_memory');
  conforms('for a compressed request', 'error_compressed');
});
