/** The process that reads damaged models: it may die or hang, which is what the engine in mutation.ts looks for. */
import { readFileSync } from 'node:fs';
import type { MutationOutcome, MutationRequest, MutationSubject } from './mutation.js';
import { type Edit, randomFrom } from './mutation-edits.js';

process.on('message', async ({ subject: module, seeds, seed, from, to }: MutationRequest) => {
  const { subject }: { subject: MutationSubject } = await import(module);
  const originals = [
    ...seeds.map((path) => ({ path, bytes: new Uint8Array(readFileSync(path)) })),
    ...(subject.originals ?? []).map((bytes) => ({ path: undefined, bytes })),
  ];
  const kinds = Object.keys(subject.edits);
  for (let index = from; index < to; index++) {
    const random = randomFrom(seed + index);
    const original = originals[Math.floor(random() * originals.length)];
    if (original === undefined) throw new Error('nothing to damage');
    const kind = kinds[index % kinds.length] as string;
    const bytes = (subject.edits[kind] as Edit)(original.bytes, random);
    const outcome: MutationOutcome = { index, kind, result: await subject.attempt(bytes, original.path) };
    process.send?.(outcome);
  }
  process.send?.({ done: true, peakBytes: process.resourceUsage().maxRSS * 1024 });
});
