/** KServe's client, unchanged, against a served endpoint. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { PythonWorker } from '../support/python-worker.js';
import { DATATYPES, type ServedEndpoint, serveModels } from './endpoint.js';
import { pythonCases } from './python-cases.js';
import { clientPython } from './python-clients.js';

let endpoint: ServedEndpoint | undefined;
let client: PythonWorker | undefined;

beforeAll(async () => {
  const python = clientPython('kserve');
  if (python === undefined) return;
  endpoint = await serveModels(['datatypes', 'half_plus_two']);
  client = new PythonWorker(python, join(import.meta.dirname, 'kserve_cases.py'));
  await client.call('connect', { url: endpoint.url });
}, 600_000);
afterAll(async () => {
  await client?.stop();
  await endpoint?.close();
});

const conforms = pythonCases(() => client);

describe('kserve: InferenceRESTClient', () => {
  conforms('sees a live server', 'server_live');
  conforms('sees a ready server', 'server_ready');
  conforms('sees which model is ready', 'model_ready');
});

describe('kserve: infer', () => {
  for (const datatype of Object.keys(DATATYPES)) {
    conforms(`with ${datatype} in binary form`, 'infer', { datatype, input_form: 'binary', output_form: 'binary' });
    // It refuses to send float16 in JSON.
    if (datatype === 'FP16') continue;
    conforms(`with ${datatype} in JSON form`, 'infer', { datatype, input_form: 'json', output_form: 'json' });
  }
  conforms('with every data type at once in binary form', 'infer_all', { form: 'binary' });
  conforms('with every data type at once in JSON form', 'infer_all', { form: 'json' });
  conforms("with a document of the caller's own", 'infer_dictionary');
  conforms('with an id, which comes back', 'request_id');
  conforms('with a tensor without elements', 'empty_tensor');
  conforms('by its protocol v1, which is TensorFlow Serving’s predict', 'predict_v1');
});

describe('kserve: an error is an HTTPStatusError with status and message', () => {
  conforms('for an unknown model', 'error_unknown_model');
  conforms('for a wrong request', 'error_wrong_request');
});
