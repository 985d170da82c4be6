/** A model's versions, and the list of an endpoint's models. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorOf } from '../../support/error-answer.js';
import { type PreparedFunction, prepareFunction, type RunningFunction } from '../../support/predict-function.js';
import { type ServedArtifact, writeEchoArtifact } from '../../support/served-artifact.js';

let prepared: PreparedFunction;
let echo: ServedArtifact;
const started: RunningFunction[] = [];

beforeAll(async () => {
  prepared = await prepareFunction();
  echo = writeEchoArtifact([{ name: 'x', dataType: 'float32', shape: ['N'] }]);
});
afterAll(async () => {
  await Promise.all(started.map((each) => each.stop()));
  echo.remove();
  prepared.remove();
});

async function start(environment: Readonly<Record<string, string>> = {}): Promise<RunningFunction> {
  const running = await prepared.start({ artifact: echo.folder, environment });
  started.push(running);
  return running;
}

describe('a version of a model', () => {
  it('answers as the model does', async () => {
    const running = await start();
    const [plain, versioned] = await Promise.all([
      running.get('/v2/models/echo'),
      running.get('/v2/models/echo/versions/3'),
    ]);
    expect(JSON.parse(versioned.body)).toMatchObject({ name: 'echo', versions: ['3'] });
    expect(versioned).toEqual(plain);
    expect(JSON.parse((await running.get('/v2/models/echo/versions/3/ready')).body)).toMatchObject({ ready: true });
    const body = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[7]}]}';
    const answer = await running.post('/v2/models/echo/versions/3/infer', body);
    expect(JSON.parse(answer.body)).toMatchObject({ model_version: '3', outputs: [{ data: [7] }] });
  });

  it('that is not there is named, with the one that is', async () => {
    const running = await start();
    expect(errorOf(await running.get('/v2/models/echo/versions/4'))).toEqual({
      status: 404,
      code: 'MODEL_VERSION_UNKNOWN',
      error: 'The model echo has no version "4" here.',
      advice: 'Ask for version 3, or leave "/versions/…" out of the path.',
    });
  });
});

describe('the list of models', () => {
  it("is the function's own model where nothing else is said", async () => {
    const running = await start();
    expect(JSON.parse((await running.get('/v2/models')).body)).toEqual({ models: [{ name: 'echo', version: '3' }] });
  });

  it("is the endpoint's, with the version of its own model that really answers", async () => {
    const models = JSON.stringify([
      { name: 'echo', version: 1 },
      { name: 'text', version: 12 },
    ]);
    const running = await start({ CDK_ONNX_MODELS: models });
    expect(JSON.parse((await running.get('/v2/models')).body)).toEqual({
      models: [
        { name: 'echo', version: '3' },
        { name: 'text', version: '12' },
      ],
    });
  });

  it.each(['{', '{}', '[{"name":"echo"}]', '[{"name":"echo","version":1,"routing":"x"}]', '[null]'])(
    'is an error where it is %s, and the model answers',
    async (list) => {
      const running = await start({ CDK_ONNX_MODELS: list });
      expect(errorOf(await running.get('/v2/models'))).toMatchObject({ status: 500, code: 'MODEL_LIST_INVALID' });
      expect((await running.get('/v2/models/echo/ready')).statusCode).toBe(200);
    },
  );
});
