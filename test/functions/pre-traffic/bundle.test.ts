/** The hook's own bundle, invoked with CodeDeploy's event, between two versions of the real function with real models. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { RecordedInference } from '../../../lib/artifact/replay.js';
import { withChangedWeights } from '../../support/changed-weights.js';
import { type PreparedFunction, prepareFunction } from '../../support/predict-function.js';
import { samplePhoto } from '../../support/sample-photos.js';
import { type ServedArtifact, writeFaceArtifact } from '../../support/served-artifact.js';
import { runHook } from '../../support/two-versions.js';

// Each of them starts four processes or more, two with a model.
vi.setConfig({ testTimeout: 300_000 });
let prepared: PreparedFunction;
let faces: ServedArtifact;
let rounded: ServedArtifact;
let damaged: ServedArtifact;
beforeAll(async () => {
  prepared = await prepareFunction();
  faces = writeFaceArtifact();
  rounded = withChangedWeights(faces, (values) => {
    const step = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / 8191;
    return values.map((value) => (step === 0 ? 0 : Math.round(value / step) * step));
  });
  // One tensor of many: every answer is well-formed and wrong.
  damaged = withChangedWeights(faces, (values, index) => (index === 4 ? values.map((value) => value * 1.5) : values));
}, 300_000);
afterAll(() => {
  for (const artifact of [faces, rounded, damaged]) artifact.remove();
  prepared.remove();
});

const photo: RecordedInference = {
  request: {
    method: 'POST',
    path: '/predict/faces',
    headers: { 'content-type': 'image/jpeg' },
    body: Buffer.from(samplePhoto('sample1.jpg')).toString('base64'),
    isBase64: true,
  },
};
/** Fourteen bits a weight; scores before their sigmoid, and boxes as pixels of 256, go into the hundreds. */
const quantized = { tolerance: { absolute: 2, relative: 0.05 } };
const SUCCEEDED = [
  { deploymentId: 'd-ABCDEF123', lifecycleEventHookExecutionId: 'eyJlbmNyeXB0ZWQi', status: 'Succeeded' },
];
const FAILED = [{ ...SUCCEEDED[0], status: 'Failed' }];

describe('a new version', () => {
  test('with the same model succeeds within the default tolerance', async () => {
    const { reported, lines, error } = await runHook(prepared, { live: faces, next: faces });
    expect(error).toBeUndefined();
    expect(lines).toEqual([expect.objectContaining({ message: 'replay', passes: true, compared: 3, different: 0 })]);
    expect(reported).toEqual(SUCCEEDED);
  });

  test('with a damaged model fails, and its log says which outputs are off and by how much', async () => {
    const { reported, lines } = await runHook(prepared, { live: faces, next: damaged, settings: quantized });
    expect(reported).toEqual(FAILED);
    const differing = lines.filter(({ message }) => message === 'an answer differs');
    expect(differing).toHaveLength(3);
    expect(differing[0]).toMatchObject({
      level: 'WARN',
      request: 'generated 1, open sizes 1',
      differences: expect.arrayContaining([
        { kind: 'apart', name: 'Identity_2:0', elements: expect.any(Number), of: 8192, largest: expect.any(Number) },
      ]),
    });
    expect(lines.at(-1)).toMatchObject({ message: 'replay', level: 'ERROR', passes: false, different: 3 });
  });

  test('with quantized weights succeeds within a tolerance for that, and fails without', async () => {
    const deployment = { live: faces, next: rounded };
    expect((await runHook(prepared, { ...deployment, settings: quantized })).reported).toEqual(SUCCEEDED);
    const exact = { tolerance: { absolute: 0, relative: 0 } };
    expect((await runHook(prepared, { ...deployment, settings: exact })).reported).toEqual(FAILED);
  });
});

describe('recorded requests', () => {
  const recordings = { 'photos.jsonl': [photo] };

  test('of a photo: the damaged model finds other faces, and nothing of the photo is in the log', async () => {
    const same = await runHook(prepared, { live: faces, next: rounded, recordings, settings: quantized });
    expect(same.lines).toEqual([expect.objectContaining({ message: 'replay', compared: 1, different: 0 })]);
    expect(same.reported).toEqual(SUCCEEDED);
    const { reported, lines, output } = await runHook(prepared, { live: faces, next: damaged, recordings });
    expect(reported).toEqual(FAILED);
    expect(lines[0]).toMatchObject({ message: 'an answer differs', request: 'photos.jsonl:1' });
    expect(output).not.toContain(String(photo.request.body).slice(100, 140));
  });

  test('without a version before are compared with recorded answers', async () => {
    const answered = (score: number) => ({
      ...photo,
      response: {
        status: 200,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model_name: 'faces', model_version: '1', predictions: [{ label: 'face', score }] }),
      },
    });
    const recorded = { 'photos.jsonl': [answered(0.1)] };
    const { reported, lines } = await runHook(prepared, { live: faces, recordings: recorded });
    expect(lines[0]).toMatchObject({ message: 'there is no other version to compare with' });
    expect(reported).toEqual(FAILED);
    const unanswered = await runHook(prepared, { live: faces, recordings });
    expect(unanswered.lines.at(-1)).toMatchObject({ compared: 0, answered: 1, passes: true });
    expect(unanswered.reported).toEqual(SUCCEEDED);
  });
});

describe('what goes wrong', () => {
  test('a version that cannot open its model fails', async () => {
    const broken = { ...faces, folder: join(faces.folder, 'nowhere') };
    const { reported, lines } = await runHook(prepared, { live: faces, next: broken, timeoutSeconds: 60 });
    expect(reported).toEqual(FAILED);
    expect(lines.at(-1)).toMatchObject({ message: 'replay', passes: false });
  });

  test('a permission that does not count yet, throttles and broken connections are waited for', async () => {
    const faults = [
      { kind: 'answer' as const, status: 403, headers: { 'x-amzn-errortype': 'AccessDeniedException' }, body: '{}' },
      { kind: 'answer' as const, status: 429, headers: { 'x-amzn-errortype': 'TooManyRequestsException' }, body: '{}' },
      { kind: 'reset' as const, when: 'before-work' as const },
    ];
    const { reported } = await runHook(prepared, {
      live: faces,
      next: faces,
      fault: ({ number }) => faults[number - 1],
      reportFault: ({ number }) => (number === 1 ? { kind: 'reset', when: 'before-work' } : undefined),
    });
    expect(reported).toEqual(SUCCEEDED);
  });

  test('what takes longer than the hook has is a failure that is reported in time', async () => {
    const { reported, lines, error } = await runHook(prepared, {
      live: faces,
      next: faces,
      timeoutSeconds: 30,
      fault: ({ number }) => (number > 2 ? { kind: 'stall', when: 'before-work' } : undefined),
    });
    expect(error).toBeUndefined();
    expect(lines.at(-1)).toMatchObject({ message: 'replay broke off', error: { message: 'out of time' } });
    expect(reported).toEqual(FAILED);
  });

  test('a hook that is told nothing reports that it failed', async () => {
    const environment = { CDK_ONNX_NEW_VERSION: '' };
    const { reported, lines } = await runHook(prepared, { live: faces, next: faces, environment });
    expect(lines.at(-1)).toMatchObject({ error: { code: 'HOOK_INCOMPLETE' } });
    expect(reported).toEqual(FAILED);
  });
});
