/** Requests that are damaged at random: each is answered, or refused with a code. The bench sends twenty times as many. */
import { describe, expect, it } from 'vitest';
import { randomFrom } from '../../support/mutation-edits.js';
import { NODES_UNDER_TEST, requireNode } from '../../support/node24.js';
import { mutateRequest } from '../../support/request-mutation/edits.js';
import { mutateAndInvoke } from '../../support/request-mutation/mutate-and-invoke.js';
import { validRequests } from '../../support/request-mutation/valid-requests.js';

const COUNT = 500;

describe.each(NODES_UNDER_TEST)('of 500 damaged requests on $name', (target) => {
  it('none crashes, hangs or breaks the function, and valid ones are answered as ever', async ({ skip }) => {
    const report = await mutateAndInvoke({ count: COUNT, seed: 1, node: requireNode(target, skip) });
    expect(report.failures.map((failure) => JSON.stringify(failure))).toEqual([]);
    expect(Object.values(report.statuses).reduce((sum, times) => sum + times, 0)).toBe(COUNT);
    // They reach far: past the parsers, and through to an answer.
    expect(Object.keys(report.codes).length).toBeGreaterThan(20);
    expect(report.statuses['200']).toBeGreaterThan(50);
    expect(report.statuses['400']).toBeGreaterThan(100);
  });
});

it('of 500 damaged texts and sounds none crashes, hangs or breaks the function, and valid ones are answered as ever', async () => {
  const requests = (await validRequests()).filter(({ model }) => model === 'texts' || model === 'sounds');
  const report = await mutateAndInvoke({ count: COUNT, seed: 1, requests });
  expect(report.failures.map((failure) => JSON.stringify(failure))).toEqual([]);
  expect(Object.values(report.statuses).reduce((sum, times) => sum + times, 0)).toBe(COUNT);
  // Each of their codes but those of sizes, which take more bytes than damage makes.
  expect(Object.keys(report.codes)).toEqual(
    expect.arrayContaining([
      ...['TEXT_MISSING', 'TEXT_NOT_UTF8', 'TEXT_JSON', 'SOUND_MISSING'],
      ...['SOUND_FORMAT_UNKNOWN', 'SOUND_DAMAGED', 'SOUND_VARIANT_UNSUPPORTED'],
    ]),
  );
  expect(report.statuses['200']).toBeGreaterThan(50);
});

it('a seed makes the same damage again', async () => {
  const requests = await validRequests();
  const damaged = (seed: number) =>
    requests.map((request) => {
      const { request: mutated, kinds } = mutateRequest(request, randomFrom(seed));
      return { ...mutated, kinds, body: Buffer.from(mutated.body).toString('hex') };
    });
  expect(damaged(7)).toEqual(damaged(7));
  expect(damaged(7)).not.toEqual(damaged(8));
});
