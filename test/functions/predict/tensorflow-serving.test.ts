/** TensorFlow Serving's REST API by the real function: the requests of its documentation, as they are. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorOf } from '../../support/error-answer.js';
import { type PreparedFunction, prepareFunction, type RunningFunction } from '../../support/predict-function.js';
import { type ServedArtifact, writeEchoArtifact, writeLogarithmArtifact } from '../../support/served-artifact.js';

let prepared: PreparedFunction;
const artifacts: ServedArtifact[] = [];
const started: RunningFunction[] = [];

async function start(artifact: ServedArtifact): Promise<RunningFunction> {
  artifacts.push(artifact);
  const running = await prepared.start({ artifact: artifact.folder });
  started.push(running);
  return running;
}

let echo: RunningFunction;
beforeAll(async () => {
  prepared = await prepareFunction();
  echo = await start(
    writeEchoArtifact([
      { name: 'id', dataType: 'int64', shape: ['N'] },
      { name: 'text', dataType: 'string', shape: ['N'] },
    ]),
  );
});
afterAll(async () => {
  await Promise.all(started.map((each) => each.stop()));
  for (const artifact of artifacts) artifact.remove();
  prepared.remove();
});

describe('POST /v1/models/{model}:predict', () => {
  it('answers rows to rows, of a version as of the model', async () => {
    const body = '{"instances":[{"id":9007199254740993,"text":"a"},{"id":1,"text":{"b64":"Yg=="}}]}';
    const answer = await echo.post('/v1/models/echo:predict', body);
    expect(answer.body).toBe(
      '{"predictions":[{"id_out":9007199254740993,"text_out":"a"},{"id_out":1,"text_out":"b"}]}',
    );
    expect(await echo.post('/v1/models/echo/versions/3:predict', body)).toEqual(answer);
  });

  it('answers tensors to tensors', async () => {
    const body = '{"signature_name":"serving_default","inputs":{"id":[1,2],"text":["a","b"]}}';
    expect((await echo.post('/v1/models/echo:predict', body)).body).toBe(
      '{"outputs":{"id_out":[1,2],"text_out":["a","b"]}}',
    );
  });

  it('takes what curl -d calls a form, which API Gateway hands over as base64', async () => {
    const logarithm = await start(writeLogarithmArtifact());
    const answer = await logarithm.post('/v1/models/logarithm:predict', Buffer.from('{"instances": [1.0,1.0]}'), {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(answer).toMatchObject({ statusCode: 200, body: '{"predictions":[0,0]}' });
    const refused = await logarithm.post('/v1/models/logarithm:predict', '{"instances": [1.0,0]}');
    expect(errorOf(refused)).toMatchObject({ status: 422, code: 'NON_FINITE_OUTPUT' });
  });

  it('says what is wrong with a request, and lives on', async () => {
    for (const [path, body, status, code] of [
      ['/v1/models/echo:predict', '{"instances":[1]}', 400, 'NAMES_MISSING'],
      ['/v1/models/echo:predict', '{', 400, 'JSON_INVALID'],
      ['/v1/models/echo:predict', Buffer.from([0xff]), 400, 'JSON_INVALID'],
      ['/v1/models/echo:predict', '{"signature_name":"x","inputs":1}', 400, 'SIGNATURE_UNKNOWN'],
      ['/v1/models/echo/versions/4:predict', '{}', 404, 'MODEL_VERSION_UNKNOWN'],
      ['/v1/models/half:predict', '{"instances":[1.0,5.0]}', 404, 'MODEL_UNKNOWN'],
      ['/v1/models/echo:classify', '{}', 404, 'ROUTE_UNKNOWN'],
      ['/v1/models/echo/versions/3', '{}', 405, 'METHOD_NOT_ALLOWED'],
    ] as const) {
      expect(errorOf(await echo.post(path, body)), path).toMatchObject({ status, code });
    }
    expect((await echo.get('/v1/models/echo')).statusCode).toBe(200);
  });
});

it('a model has a status and a signature, of a version too', async () => {
  const status = JSON.parse((await echo.get('/v1/models/echo/versions/3')).body);
  expect(status).toMatchObject({ model_version_status: [{ version: '3', state: 'AVAILABLE' }] });
  const metadata = JSON.parse((await echo.get('/v1/models/echo/metadata')).body);
  expect(metadata.metadata.signature_def.signature_def.serving_default.inputs.id.dtype).toBe('DT_INT64');
  expect(errorOf(await echo.get('/v1/models/echo/versions/9/metadata')).code).toBe('MODEL_VERSION_UNKNOWN');
});
