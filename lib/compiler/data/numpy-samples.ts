/** Samples in .npz archives, and in .npy files: one array an input. */

import { sha256 } from '../../artifact/digest.js';
import { inFile } from './data-error.js';
import type { Label } from './data-set.js';
import { type NumpyArray, type NumpyFile, openNumpyFile } from './numpy-file.js';
import type { SampleFile } from './sample-file.js';
import { StackedArrays, type StackedArraysOptions } from './stacked-arrays.js';
import type { DataPath } from './walk-folder.js';
import { digestOf } from './whole-file.js';

export interface NumpySamplesOptions extends StackedArraysOptions {
  readonly group: string | undefined;
  /** Of the file as a whole, from its folder or labels.json; arrays of labels go before it. */
  readonly label: Label | undefined;
}

/** An archive, or a .npy file of a model with one input. */
export async function numpySamples(
  data: DataPath,
  kind: 'npy' | 'npz',
  options: NumpySamplesOptions,
): Promise<SampleFile> {
  return samplesOf(data.path, [data], options, () => openNumpyFile(data.file, data.path, kind));
}

/** Several .npy files of one folder, each named after its input (or output, or `labels`). */
export async function numpyFolder(
  path: string,
  files: readonly DataPath[],
  options: NumpySamplesOptions,
): Promise<SampleFile> {
  return samplesOf(path, files, options, async () => {
    const opened: NumpyFile[] = [];
    const close = async () => {
      for (const file of opened) await file.close();
    };
    try {
      const arrays: NumpyArray[] = [];
      for (const { file, path: where } of files) {
        const numpy = await openNumpyFile(file, where, 'npy');
        opened.push(numpy);
        for (const array of numpy.arrays) arrays.push({ ...array, name: arrayName(where) });
      }
      return { arrays, close };
    } catch (error) {
      await close();
      throw error;
    }
  });
}

/** `scenes/input:0.npy` holds the array `input:0`. */
export function arrayName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/\.npy$/, '');
}

async function samplesOf(
  path: string,
  files: readonly DataPath[],
  { group, label: fileLabel, ...options }: NumpySamplesOptions,
  openFile: () => Promise<NumpyFile>,
): Promise<SampleFile> {
  const digests = await Promise.all(files.map(digestOf));
  const openArrays = async () => {
    const file = await openFile();
    try {
      return { file, arrays: new StackedArrays(file.arrays, path, options) };
    } catch (error) {
      await file.close();
      throw inFile(path, error);
    }
  };
  const { file, arrays } = await openArrays();
  await file.close();
  return {
    path,
    group,
    count: arrays.count,
    digest: digests.length === 1 ? (digests[0] as string) : sha256(digests.join('\n')),
    async open() {
      const { file, arrays } = await openArrays();
      const label = async (index: number) => (await arrays.label(index)) ?? fileLabel;
      return {
        label,
        async read(index) {
          const content = await arrays.read(index);
          return content.label === undefined && fileLabel !== undefined ? { ...content, label: fileLabel } : content;
        },
        close: () => file.close(),
      };
    },
  };
}
