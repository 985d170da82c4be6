/** Scenes for the face detector, as the example model's own script composes them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { composeSet } from '../../../models/faces/samples/compose.mjs';
import type { DataSource } from './sets.js';

const script = join(import.meta.dirname, '../../../models/faces/samples/compose.mjs');

export const faceScenes: DataSource = {
  identity: `faces ${readFileSync(script, 'utf8')} face-api 1.7.15`,
  write: composeSet,
};
