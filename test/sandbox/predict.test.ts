/** The endpoint that CDK synthesizes, its assets unchanged, under Lambda's Node.js and runtime client at three memory sizes. */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { samplePhoto } from '../support/sample-photos.js';
import {
  egressAttempts,
  openSandbox,
  SANDBOX_NOTE,
  SANDBOX_SKIPPED,
  type Sandbox,
  statusOf,
} from '../support/sandbox/sandbox.js';
import { type ServedEndpoint, serveEndpoint } from '../support/served-endpoint.js';

const MIB = 1024 * 1024;

describe.skipIf(SANDBOX_SKIPPED).each([512, 1769, 3008])(
  `the face detector with %i MB${SANDBOX_NOTE}`,
  (memorySize) => {
    let sandbox: Sandbox;
    let endpoint: ServedEndpoint;
    const get = (path: string) => fetch(`${endpoint.host.url}${path}`);
    const post = (path: string, body: Uint8Array, type: string, headers: Record<string, string> = {}) =>
      fetch(`${endpoint.host.url}${path}`, { method: 'POST', body, headers: { 'content-type': type, ...headers } });

    beforeAll(async () => {
      sandbox = openSandbox();
      endpoint = await serveEndpoint({ memorySize, runtime: sandbox.runtime });
    });
    afterAll(async () => {
      await endpoint?.close();
      sandbox?.remove();
    });

    test('loads its model in the init phase and answers, cold and warm', async () => {
      expect(await (await get('/v2/health/ready')).json()).toEqual({ ready: true });
      expect(endpoint.log.at(-1)).toMatch(/#1 cold: /);
      expect(endpoint.log.some((line) => line.includes('model ready'))).toBe(true);
      expect((await get('/v2/models/faces')).status).toBe(200);
      expect(endpoint.log.at(-1)).toMatch(/#1 warm: /);
    });

    test('finds the face of a photo', async () => {
      const answer = await post('/predict/faces', samplePhoto('sample1.jpg'), 'image/jpeg');
      expect(answer.status).toBe(200);
      const { predictions } = (await answer.json()) as { predictions: { label: string; score: number }[] };
      expect(predictions[0]).toMatchObject({ label: 'face', score: expect.any(Number) });
    });

    test('takes binary tensors and gives the same ones again and again', async () => {
      const data = new Float32Array(256 * 256 * 3).fill(0.5);
      const input = { name: 'input:0', datatype: 'FP32', shape: [1, 256, 256, 3] };
      const document = Buffer.from(
        JSON.stringify({
          inputs: [{ ...input, parameters: { binary_data_size: data.byteLength } }],
          parameters: { binary_data_output: true },
        }),
      );
      const body = Buffer.concat([document, Buffer.from(data.buffer)]);
      const headers = { 'inference-header-content-length': String(document.length) };
      const infer = async () => {
        const answer = await post('/v2/models/faces/infer', body, 'application/octet-stream', headers);
        expect(answer.status).toBe(200);
        return Buffer.from(await answer.arrayBuffer());
      };
      expect((await infer()).equals(await infer())).toBe(true);
    });

    test('answers requests at once from environments of their own', async () => {
      const photo = samplePhoto('sample1.jpg');
      const answers = await Promise.all([1, 2].map(() => post('/predict/faces', photo, 'image/jpeg')));
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    });

    test('has tried to reach nobody, has written nothing, and keeps to its memory', async () => {
      expect((await get('/v2/health/ready')).status).toBe(200);
      const processes = sandbox.processes();
      expect(processes.length).toBeGreaterThan(0);
      for (const pid of processes) {
        expect(egressAttempts(pid)).toEqual({ noRoute: 0, datagrams: 0 });
        expect(readdirSync(`/proc/${pid}/root/tmp`)).toEqual([]);
        expect(statusOf(pid, 'VmHWM') / 1024).toBeLessThan(memorySize);
        expect(statusOf(pid, 'VmHWM') * 1024).toBeGreaterThan(10 * MIB);
      }
    });
  },
);
