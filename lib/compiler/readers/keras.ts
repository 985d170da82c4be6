/** Keras's own files: `.keras` archives of Keras 3 (and of 2.12 on), and HDF5. */
import { looksLikeHdf5 } from '../formats/hdf5/sniff.js';
import { CONFIG, METADATA, WEIGHTS } from './keras/archive-names.js';
import type { Reader } from './reader.js';
import type { ModelSource } from './source.js';

/** By what the archive holds: by the one file that is known of it, where its directory is damaged. */
function looksLikeKerasArchive({ archive, entries }: ModelSource): boolean {
  if (archive !== 'zip') return false;
  if (entries.length === 1) return [CONFIG, METADATA, WEIGHTS].includes(entries[0] ?? '');
  return entries.includes(CONFIG) && (entries.includes(METADATA) || entries.includes(WEIGHTS));
}

/** What `model.save(…, zipped=False)` writes. */
function looksLikeKerasFolder({ kind, entries }: ModelSource): boolean {
  return kind === 'folder' && entries.includes(CONFIG) && entries.includes(WEIGHTS);
}

export const kerasReader: Reader = {
  name: 'Keras',
  match: (source) => looksLikeKerasArchive(source) || looksLikeKerasFolder(source),
  read: async (path) => (await import('./keras/read-archive.js')).readKeras(path),
};

export const kerasHdf5Reader: Reader = {
  name: 'Keras HDF5',
  match: ({ head }) => looksLikeHdf5(head),
  read: async (path) => (await import('./keras/read-hdf5.js')).readKerasHdf5(path),
};
