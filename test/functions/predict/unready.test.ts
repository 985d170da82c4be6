/** A function whose model cannot be opened stays alive, says why, and tries again. */
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorOf } from '../../support/error-answer.js';
import { type PreparedFunction, prepareFunction, type RunningFunction } from '../../support/predict-function.js';
import { type ServedArtifact, writeEchoArtifact, writeFaceArtifact } from '../../support/served-artifact.js';

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

async function start(options: Parameters<PreparedFunction['start']>[0]): Promise<RunningFunction> {
  const running = await prepared.start(options);
  started.push(running);
  return running;
}

const INFER = '/v2/models/echo/infer';
const one = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}';

describe('a function whose model cannot be opened', () => {
  async function expectUnready(running: RunningFunction, name: string, code: string): Promise<void> {
    expect((await running.get('/v2/health/live')).statusCode).toBe(200);
    expect((await running.get('/v2')).statusCode).toBe(200);
    for (const path of ['/v2/health/ready', `/v2/models/${name}/ready`]) {
      expect(errorOf(await running.get(path)), path).toMatchObject({ status: 503, code });
    }
    expect(errorOf(await running.post(`/v2/models/${name}/infer`, one))).toMatchObject({ status: 503, code });
    const [line] = running.output.split('\n');
    expect(JSON.parse(line ?? '')).toMatchObject({
      level: 'ERROR',
      message: 'the model could not be opened',
      error: { code },
    });
  }

  it('stays alive without an artifact and says what is missing', async () => {
    await expectUnready(await start({ artifact: join(prepared.folder, 'nowhere') }), 'x', 'MANIFEST_UNREADABLE');
  });

  it('stays alive without the runtime layer', async () => {
    const running = await start({ artifact: echo.folder, withRuntime: false });
    await expectUnready(running, 'echo', 'RUNTIME_NOT_LOADED');
    // The manifest can be read all the same.
    expect((await running.get('/v2/models/echo')).statusCode).toBe(200);
  });

  it('opens it at the next request once it is there', async () => {
    const broken = writeEchoArtifact([{ name: 'x', dataType: 'float32', shape: ['N'] }]);
    writeFileSync(broken.model, 'not a model');
    const running = await start({ artifact: broken.folder });
    await expectUnready(running, 'echo', 'SESSION_NOT_CREATED');
    expect(running.output).toContain('Protobuf');
    copyFileSync(echo.model, broken.model);
    expect((await running.get('/v2/health/ready')).statusCode).toBe(200);
    expect((await running.post(INFER, one)).statusCode).toBe(200);
    broken.remove();
  });

  it('does not read a manifest of another version', async () => {
    const other = writeEchoArtifact([{ name: 'x', dataType: 'float32', shape: ['N'] }]);
    writeFileSync(join(other.folder, 'manifest.json'), JSON.stringify({ ...other.manifest, schemaVersion: 99 }));
    await expectUnready(await start({ artifact: other.folder }), 'echo', 'MANIFEST_VERSION_UNKNOWN');
    other.remove();
  });

  it('says that a task does not fit the model', async () => {
    const faces = writeFaceArtifact();
    const signature = { ...faces.manifest.signature, inputs: [{ name: 'other', dataType: 'float32', shape: [1] }] };
    writeFileSync(join(faces.folder, 'manifest.json'), JSON.stringify({ ...faces.manifest, signature }));
    const running = await start({ artifact: faces.folder });
    expect(errorOf(await running.get('/v2/health/ready'))).toMatchObject({
      status: 503,
      code: expect.stringMatching(/^TASK_/),
    });
    faces.remove();
  });
});

describe('session options of the manifest', () => {
  it('reach onnxruntime under their full names', async () => {
    const folder = join(prepared.folder, 'options');
    mkdirSync(folder);
    copyFileSync(echo.model, join(folder, 'model.onnx'));
    // A value that onnxruntime refuses, so that it must have seen it.
    const session = { configEntries: { 'optimization.minimal_build_optimizations': 'nonsense' } };
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...echo.manifest, session }));
    const running = await start({ artifact: folder });
    expect(errorOf(await running.get('/v2/health/ready'))).toMatchObject({ status: 503, code: 'SESSION_NOT_CREATED' });
    expect(running.output).toContain('nonsense');
    rmSync(folder, { recursive: true });
  });
});
