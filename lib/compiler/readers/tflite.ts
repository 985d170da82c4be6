/** TensorFlow Lite files. */
import { looksLikeTflite } from '../formats/tflite/sniff.js';
import type { Reader } from './reader.js';

export const tfliteReader: Reader = {
  name: 'TensorFlow Lite',
  match: ({ head }) => looksLikeTflite(head),
  read: async (path) => (await import('./tflite/read.js')).readTflite(path),
};
