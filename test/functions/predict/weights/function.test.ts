/** The function with a model that is not in its layer: it loads it from S3 in its init phase. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { errorOf } from '../../../support/error-answer.js';
import { type FaultyS3, type FaultyS3Options, startFaultyS3 } from '../../../support/faulty-s3.js';
import { NODES_UNDER_TEST, requireNode } from '../../../support/node24.js';
import { type PreparedFunction, prepareFunction, type RunningFunction } from '../../../support/predict-function.js';
import { type ServedArtifact, writeEchoArtifact } from '../../../support/served-artifact.js';

let prepared: PreparedFunction;
let artifact: ServedArtifact;
let model: Buffer;
let temporary: string;
let s3: FaultyS3 | undefined;
let running: RunningFunction | undefined;

beforeAll(async () => {
  prepared = await prepareFunction();
  artifact = writeEchoArtifact([{ name: 'x', dataType: 'float32', shape: ['N'] }]);
  model = readFileSync(artifact.model);
  rmSync(artifact.model);
  const files = [{ path: 'model.onnx', bytes: model.length, sha256: createHash('sha256').update(model).digest('hex') }];
  writeFileSync(join(artifact.folder, 'manifest.json'), JSON.stringify({ ...artifact.manifest, files }));
});
afterEach(async () => {
  await running?.stop();
  s3?.close();
  rmSync(temporary, { recursive: true, force: true });
});
afterAll(() => {
  artifact.remove();
  prepared.remove();
});

async function start(
  served: Partial<FaultyS3Options> = {},
  options: {
    readonly temporary?: string;
    readonly environment?: Record<string, string>;
    readonly artifact?: string;
    readonly node?: string;
  } = {},
): Promise<RunningFunction> {
  temporary = options.temporary ?? mkdtempSync(join(tmpdir(), 'cdk-onnx-test-tmp-'));
  s3 = await startFaultyS3({ content: model, ...served });
  running = await prepared.start({
    artifact: options.artifact ?? artifact.folder,
    ...(options.node === undefined ? {} : { node: options.node }),
    environment: {
      TMPDIR: temporary,
      CDK_ONNX_WEIGHTS: 's3://bucket/weights',
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT_URL_S3: s3.url,
      AWS_ACCESS_KEY_ID: 'AKIATEST',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_SESSION_TOKEN: 'token',
      ...options.environment,
    },
  });
  return running;
}

const READY = '/v2/health/ready';
const entries = (): Record<string, unknown>[] =>
  (running?.output ?? '').split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
const leftIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((found) => found.isFile())
    .map((found) => found.name);

async function expectRefused(code: string): Promise<void> {
  expect(errorOf((await running?.get(READY)) as never)).toMatchObject({ status: 503, code: 'MODEL_NOT_READY' });
  expect((await running?.get('/v2/health/live'))?.statusCode).toBe(200);
  expect((await running?.get('/v2/models/echo'))?.statusCode).toBe(200);
  expect(entries()[0]?.message).toMatch(/loading weights|could not be opened/);
  expect(entries().find((entry) => entry.message === 'the model could not be opened')).toMatchObject({
    level: 'ERROR',
    error: { code: 'MODEL_NOT_READY', cause: { code, advice: expect.any(String) } },
  });
}

describe('weights in S3', () => {
  test.for(NODES_UNDER_TEST)(
    'are there when the module is loaded, and the model answers, on $name',
    async (node, { skip }) => {
      const { output } = await start({}, { node: requireNode(node, skip) });
      expect(output).toContain('"weights loaded"');
      expect(output).toContain('"model ready"');
      const one = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1.5]}]}';
      const answer = await running?.post('/v2/models/echo/infer', one);
      expect(JSON.parse(answer?.body ?? '{}').outputs[0].data).toEqual([1.5]);
      expect(leftIn(temporary)).toEqual(['model.onnx']);
    },
  );

  test('that an earlier process of the environment left in /tmp are used again', async () => {
    await start();
    await running?.stop();
    const requests = s3?.seen.length;
    expect(requests).toBe(1);
    s3?.close();
    await start({}, { temporary });
    expect((await running?.get(READY))?.statusCode).toBe(200);
    expect(s3?.seen).toEqual([]);
    expect(entries()[0]).toMatchObject({ message: 'weights found in the temporary folder' });
  });

  test('that were interrupted, or are of another model, are cleaned away', async () => {
    temporary = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-tmp-'));
    for (const hash of [artifact.manifest.contentHash, 'f'.repeat(64)]) {
      mkdirSync(join(temporary, 'cdk-onnx', hash), { recursive: true });
      writeFileSync(join(temporary, 'cdk-onnx', hash, 'model.onnx.download'), 'half of it');
      writeFileSync(join(temporary, 'cdk-onnx', hash, 'model.onnx'), 'shorter');
    }
    await start({}, { temporary });
    expect((await running?.get(READY))?.statusCode).toBe(200);
    expect(leftIn(temporary)).toEqual(['model.onnx']);
    expect(readFileSync(join(temporary, 'cdk-onnx', artifact.manifest.contentHash, 'model.onnx'))).toEqual(model);
  });

  test('of another content are refused and deleted; the right ones do at the next request', async () => {
    const wrong = Buffer.from(model);
    wrong[9] = (wrong[9] ?? 0) ^ 1;
    await start({ content: wrong });
    await expectRefused('WEIGHTS_DIGEST');
    expect(leftIn(temporary)).toEqual([]);
    model.copy(wrong);
    expect((await running?.get(READY))?.statusCode).toBe(200);
    // What it says in the log is not for callers.
    expect(running?.output).toContain('s3://bucket/weights');
  });

  test.each([
    [403, 'AccessDenied', 'WEIGHTS_ACCESS_DENIED'],
    [404, 'NoSuchKey', 'WEIGHTS_NOT_FOUND'],
    [301, 'PermanentRedirect', 'WEIGHTS_REGION'],
    [503, 'SlowDown', 'WEIGHTS_UNREACHABLE'],
  ])('that S3 answers with %i %s leave the service alive: %s', async (status, code, expected) => {
    await start({ fault: () => ({ kind: 'answer', status, code }) });
    await expectRefused(expected);
  });

  test('come at last from an S3 that fails now and then; the log tells', async () => {
    await start({ fault: ({ number }) => (number < 4 ? { kind: 'reset', afterBytes: 0 } : undefined) });
    expect((await running?.get(READY))?.statusCode).toBe(200);
    expect(entries().filter((entry) => entry.message === 'a part of the weights is asked for again')).toHaveLength(3);
    expect(entries().find((entry) => entry.message === 'weights loaded')).toMatchObject({ retries: 3 });
  });

  test.each<[string, Record<string, string>]>([
    ['WEIGHTS_LOCATION_INVALID', { CDK_ONNX_WEIGHTS: 'bucket/weights' }],
    ['CREDENTIALS_MISSING', { AWS_SECRET_ACCESS_KEY: '' }],
  ])('%s: %o', async (code, environment) => {
    await start({}, { environment });
    await expectRefused(code);
  });
});

describe('a download that takes long', () => {
  /** Answers once the gate is open. */
  const gated = () => {
    let isOpen = false;
    return {
      fault: () => (isOpen ? undefined : ({ kind: 'stall', afterBytes: -1 } as const)),
      open: () => {
        isOpen = true;
      },
    };
  };

  test('lets the init phase end before Lambda cuts it off, and requests wait for it', async () => {
    const gate = gated();
    await start(gate);
    expect(running?.initMilliseconds).toBeLessThan(9_500);
    expect((await running?.get('/v2/health/live'))?.statusCode).toBe(200);
    const late = await running?.get(READY, { remainingMilliseconds: 1_500 });
    expect(errorOf(late as never)).toMatchObject({ status: 503, code: 'MODEL_LOADING' });
    expect(late?.headers['retry-after']).toBe('5');
    const waiting = running?.get(READY);
    gate.open();
    expect((await waiting)?.statusCode).toBe(200);
    expect(entries().filter((entry) => entry.message === 'loading weights')).toHaveLength(1);
  });
});

describe('a /tmp that is too small', () => {
  const MIB = 1024 * 1024;
  const weights = (bytes: number) => {
    const content = Buffer.alloc(bytes, 'weights ');
    const files = [{ path: 'model.onnx', bytes, sha256: createHash('sha256').update(content).digest('hex') }];
    const folder = join(temporary, 'echo');
    mkdirSync(folder);
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...artifact.manifest, files }));
    return { content, folder };
  };

  test('is told with a code before a byte is asked for', async ({ skip }) => {
    const node = nodeInSmallFolder(skip);
    const { content, folder } = weights(8 * MIB);
    await start({ content }, { temporary, artifact: folder, node });
    await expectRefused('EPHEMERAL_STORAGE_FULL');
    expect(running?.output).toMatch(/has 4\d{6} bytes left, and the weights take 8388608/);
    expect(s3?.seen).toEqual([]);
  });

  test('is told with a code when it runs full on the way', async ({ skip }) => {
    // The rest of it is taken once the download has begun.
    const filler =
      '(until [ -e "$TMPDIR/cdk-onnx" ]; do sleep 0.05; done; sleep 0.3; cat /dev/zero >"$TMPDIR/filler" 2>/dev/null) &';
    const node = nodeInSmallFolder(skip, filler);
    const { content, folder } = weights(3 * MIB);
    await start({ content, bytesPerSecond: MIB }, { temporary, artifact: folder, node });
    await expectRefused('EPHEMERAL_STORAGE_FULL');
    expect(running?.output).toContain('The temporary folder ran full');
    expect(s3?.seen.length).toBeGreaterThan(0);
  });
});

/** A program that runs Node.js with a file system of 4 MiB at $TMPDIR, which no other process sees. */
function nodeInSmallFolder(skip: (note: string) => void, before = ''): string {
  temporary = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-tmp-'));
  const small = join(temporary, 'small');
  mkdirSync(small);
  const mount = `mount -t tmpfs -o size=4m tmpfs ${small}`;
  const unshare = ['--user', '--map-root-user', '--mount', '/bin/sh', '-c'];
  if (spawnSync('unshare', [...unshare, mount]).status !== 0) {
    const note = 'skipped: needs unshare (util-linux) with user and mount namespaces';
    if (process.env.CI === 'true') throw new Error(note);
    skip(note);
  }
  const inside = join(temporary, 'inside.sh');
  writeFileSync(inside, `${mount}\nexport TMPDIR=${small}\n${before}\nexec ${process.execPath} "$@"\n`);
  const program = join(temporary, 'node.sh');
  const flags = unshare.slice(0, 3).join(' ');
  writeFileSync(program, `#!/bin/sh\nexec unshare ${flags} /bin/sh ${inside} "$@"\n`, { mode: 0o755 });
  return program;
}
