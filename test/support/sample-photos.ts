/** Photos that a package of devDependencies ships, and the boxes of their faces. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MarkedBox } from './detection-metrics.js';

const folder = join(import.meta.dirname, '../../node_modules/@vladmandic/face-api/demo');
const fixture = join(import.meta.dirname, '../fixtures/faces/boxes.json');

export const samplePhotoNames = [1, 2, 3, 4, 5, 6].map((number) => `sample${number}.jpg`);

export function samplePhoto(name: string): Uint8Array {
  return readFileSync(join(folder, name));
}

export function markedFaces(name: string): readonly MarkedBox[] {
  const { faces } = JSON.parse(readFileSync(fixture, 'utf8')) as { faces: Record<string, readonly MarkedBox[]> };
  const marked = faces[name];
  if (marked === undefined) throw new Error(`no faces are marked in ${name}`);
  return marked;
}
