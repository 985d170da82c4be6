/** What a lock remembers of a plan, and how it is written. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCK_FILE } from '../../../lib/artifact/lock.js';
import { graphDigest } from '../../../lib/compiler/build/lock-digests.js';
import { readLock } from '../../../lib/compiler/build/lock-files.js';
import { lockPlan } from '../../../lib/compiler/build/lock-plan.js';
import { loadPlan } from '../../../lib/compiler/build/locked-plan.js';
import { prepareModel } from '../../../lib/compiler/build/prepare.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../../../lib/compiler/quantize/plan.js';
import { type LockedModel, lockedModel } from '../../support/locked-model.js';

let model: LockedModel;
beforeAll(async () => {
  model = await lockedModel();
});
afterAll(() => model.remove());

describe('the digest of a graph', () => {
  it('changes with one bit of one weight, and with nothing else', async () => {
    const again = await prepareModel(model.directory);
    expect(graphDigest(again.model)).toBe(model.lock.digests.normalizedGraph);
    const [value] = [...again.model.graph.initializers].filter(
      ({ initializer }) => initializer?.elementType === 'float32' && initializer.count > 1000,
    );
    if (value?.initializer === undefined) throw new Error('the model has large weights');
    const bytes = Uint8Array.from(value.initializer.bytes());
    bytes[2000] = (bytes[2000] ?? 0) ^ 1;
    value.initializer = new Tensor('float32', value.initializer.dims, { kind: 'bytes', bytes });
    expect(graphDigest(again.model)).not.toBe(model.lock.digests.normalizedGraph);
  });
});

describe('writing a lock', () => {
  const measured = new Map([['arm64' as const, []]]);

  it('brings back the plan, weights to the bit', async () => {
    const read = await readLock(model.directory);
    const entry = read?.architectures.x86_64;
    if (entry === undefined) throw new Error('it was written');
    const back = await loadPlan(model.directory, entry);
    expect(back.recipes).toEqual(model.plan.recipes);
    const bits = ({ weights }: QuantizationPlan) =>
      [...weights].map(([name, tensor]) => [name, tensor.dims, Buffer.from(tensor.bytes()).toString('hex')]);
    expect(bits(back)).toEqual(bits(model.plan));
  });

  it('keeps another architecture that was made of the same, with its weights, and drops one that was not', async () => {
    const folder = model.copy();
    const same = await lockPlan({
      prepared: { ...model.prepared, directory: folder },
      plan: { ...model.plan, weights: new Map() },
      session: {},
      architectures: measured,
      data: {},
    });
    expect(same.dropped).toEqual([]);
    const kept = same.lock.architectures.x86_64;
    if (kept === undefined) throw new Error('it was to be kept');
    expect([...(await loadPlan(folder, kept)).weights.keys()]).toEqual([...model.plan.weights.keys()]);

    const other = await lockPlan({
      prepared: { ...model.prepared, directory: folder },
      plan: EMPTY_PLAN,
      session: {},
      architectures: measured,
      data: { calibration: 'c'.repeat(64) },
    });
    expect([other.dropped, Object.keys(other.lock.architectures)]).toEqual([['x86_64'], ['arm64']]);
    expect(readdirSync(folder).sort()).toEqual(['model.json', LOCK_FILE, 'source.onnx']);
  });

  it('that is interrupted leaves the lock that was there, and nothing else', async () => {
    const folder = model.copy();
    const before = readFileSync(join(folder, LOCK_FILE), 'utf8');
    const files = readdirSync(folder);
    const stop = new AbortController();
    const writing = lockPlan({
      prepared: { ...model.prepared, directory: folder },
      plan: EMPTY_PLAN,
      session: {},
      architectures: measured,
      data: {},
      signal: stop.signal,
      onStep: (name) => {
        if (name.startsWith('comparing')) stop.abort(new Error('stop'));
      },
    });
    await expect(writing).rejects.toThrow('stop');
    expect(readFileSync(join(folder, LOCK_FILE), 'utf8')).toBe(before);
    expect(readdirSync(folder)).toEqual(files);
  });
});
