/** Opens what a person has lying in a folder: pictures, sounds, texts, arrays, lines of JSON, or a mix of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Signature } from '../../artifact/manifest.js';
import type { Task } from '../../artifact/task.js';
import type { ReadAsset } from '../../tasks/text/tokenizer.js';
import { damaged, dataError } from './data-error.js';
import { type DataLimits, DEFAULT_DATA_LIMITS } from './data-limits.js';
import type { Label } from './data-set.js';
import { FileDataSet } from './file-data-set.js';
import { jsonLines } from './json-lines.js';
import { classesOf, folderLabels, LABELS_FILE, labelOf, parseLabels, type Truth } from './labels.js';
import { arrayName, numpyFolder, numpySamples } from './numpy-samples.js';
import type { SampleFile } from './sample-file.js';
import { type DataFormat, sniffData } from './sniff-data.js';
import { createTaskDecoder, type TaskDecoder } from './task-decoder.js';
import { type DataPath, walkFolder } from './walk-folder.js';
import { readAtMost, wholeFile } from './whole-file.js';

export interface OpenDataSetOptions {
  readonly task: Task;
  /** Of the model that will be fed. */
  readonly signature: Signature;
  /** Class names by index, for models whose task has none. Default: the task's labels. */
  readonly classes?: readonly string[];
  /** Inputs that were frozen to constants; recorded arrays of their names are passed over. Default none. */
  readonly frozenInputs?: readonly string[];
  /** false: arrays are one sample a file, whatever their first axes say. Default true. */
  readonly stacked?: boolean;
  /** Where files lie that the task names, a tokenizer: the folder of model.json. Default: the task names none. */
  readonly assets?: string;
  readonly limits?: DataLimits;
  readonly signal?: AbortSignal;
}

/**
 * Looks at every file and decodes none. Labels come from `labels.json` at the top of the folder, else from first-level folders named after
 * the task's classes, else from the files themselves.
 * @param path a folder, or one file
 * @throws ConfigurationError DATA_… naming the file; TASK_… where the task does not fit the signature
 */
export async function openDataSet(path: string, options: OpenDataSetOptions): Promise<FileDataSet> {
  const limits = { ...DEFAULT_DATA_LIMITS, ...options.limits };
  const all = await walkFolder(path, limits.maxFiles);
  const labelsFile = all.find((data) => data.path === LABELS_FILE);
  const files = all.filter((data) => data !== labelsFile);
  const truths = labelsFile === undefined ? undefined : await readLabels(labelsFile, files, limits.maxFileBytes);
  const decoder = await createTaskDecoder(options.task, options.signature, assetReader(options.assets));
  const opener = new FileOpener(options, limits, decoder, labelsBy(files, truths, options, path));

  const samples: SampleFile[] = [];
  let count = 0;
  for (const group of await groupArrays(files, options.signature)) {
    options.signal?.throwIfAborted();
    const file = await opener.open(group);
    samples.push(file);
    count += file.count ?? 1;
    if (count > limits.maxSamples) {
      throw dataError(
        'DATA_TOO_LARGE',
        `${path} holds more than ${limits.maxSamples} samples.`,
        'Take a part of them.',
      );
    }
  }
  if (count === 0) throw dataError('DATA_EMPTY', `${path} holds no samples.`, 'Put data for the task into it.');
  return new FileDataSet(samples, { carried: decoder.carried });
}

/** Files that are one source of samples: one file, or the .npy files of a folder that each hold one input. */
interface FileGroup {
  readonly path: string;
  readonly format: DataFormat | 'npy-folder';
  readonly files: readonly [DataPath, ...DataPath[]];
}

async function groupArrays(files: readonly DataPath[], signature: Signature): Promise<readonly FileGroup[]> {
  const groups: FileGroup[] = [];
  const folders = new Map<string, DataPath[]>();
  const tensors = new Set([...signature.inputs, ...signature.outputs].map(({ name }) => name));
  for (const data of files) {
    const format = await sniffData(data);
    const isOneOfSeveral = format === 'npy' && (signature.inputs.length > 1 || tensors.has(arrayName(data.path)));
    if (!isOneOfSeveral) {
      groups.push({ path: data.path, format, files: [data] });
      continue;
    }
    const folder = data.path.slice(0, Math.max(0, data.path.lastIndexOf('/')));
    const siblings = folders.get(folder);
    if (siblings !== undefined) siblings.push(data);
    else {
      const started: [DataPath, ...DataPath[]] = [data];
      folders.set(folder, started);
      groups.push({ path: folder || '.', format: 'npy-folder', files: started });
    }
  }
  // An array on its own is known by its file.
  return groups.map((group) =>
    group.format === 'npy-folder' && group.files.length === 1 ? { ...group, path: group.files[0].path } : group,
  );
}

function groupOf(path: string): string | undefined {
  const end = path.indexOf('/');
  return end < 0 ? undefined : path.slice(0, end);
}

async function readLabels(
  { file }: DataPath,
  files: readonly DataPath[],
  maxBytes: number,
): Promise<ReadonlyMap<string, Truth>> {
  const truths = parseLabels(Buffer.from(await readAtMost(file, LABELS_FILE, maxBytes)).toString('utf8'), LABELS_FILE);
  const known = new Set(files.map(({ path }) => path));
  const stranger = [...truths.keys()].find((path) => !known.has(path));
  if (stranger === undefined) return truths;
  throw dataError(
    'DATA_LABEL_INVALID',
    `${LABELS_FILE} has a label for ${JSON.stringify(stranger.slice(0, 200))}, which is no file of the folder.`,
    `Write paths from the folder of ${LABELS_FILE}, with forward slashes.`,
  );
}

function labelsBy(
  files: readonly DataPath[],
  truths: ReadonlyMap<string, Truth> | undefined,
  options: OpenDataSetOptions,
  where: string,
): (path: string) => Label | undefined {
  const classes = options.classes ?? classesOf(options.task);
  if (truths !== undefined) {
    return (path) => {
      const value = truths.get(path);
      return value === undefined ? undefined : labelOf(value, classes, `${LABELS_FILE}, ${path}`);
    };
  }
  const folders = folderLabels(
    files.map(({ path }) => groupOf(path)),
    classes,
    where,
  );
  return (path) => folders.get(groupOf(path) ?? '');
}

class FileOpener {
  readonly #options: OpenDataSetOptions;
  readonly #limits: Required<DataLimits>;
  readonly #decoder: TaskDecoder;
  readonly #labelOf: (path: string) => Label | undefined;

  constructor(
    options: OpenDataSetOptions,
    limits: Required<DataLimits>,
    decoder: TaskDecoder,
    labelBy: (path: string) => Label | undefined,
  ) {
    this.#options = options;
    this.#limits = limits;
    this.#decoder = decoder;
    this.#labelOf = labelBy;
  }

  open({ path, format, files }: FileGroup): Promise<SampleFile> {
    const [data] = files;
    const group = groupOf(data.path);
    const label = this.#labelOf(data.path);
    const { signature, frozenInputs = [], stacked = true, task, classes = classesOf(task) } = this.#options;
    const { maxSampleBytes, maxFileBytes } = this.#limits;
    const arrays = {
      signature,
      frozenInputs,
      stacked,
      starts: this.#decoder.starts,
      maxSampleBytes,
      group,
      label,
      labelFromText: (text: string, where: string) => labelOf(text, classes, where),
    };
    const whole = { group, label, maxFileBytes };
    const { picture, sound, text } = this.#decoder;
    switch (format) {
      case 'npy':
      case 'npz':
        return numpySamples(data, format, arrays);
      case 'npy-folder':
        return numpyFolder(path, files, arrays);
      case 'picture': {
        const decode = picture ?? needsTask(path, 'a picture', 'object-detection or image-classification');
        return wholeFile(data, { ...whole, decode });
      }
      case 'wav': {
        const decode = sound ?? needsTask(path, 'a sound', 'voice-activity');
        return wholeFile(data, { ...whole, decode });
      }
      case 'text': {
        const decode = text ?? needsTask(path, 'a text', 'text-classification');
        return wholeFile(data, { ...whole, decode: (bytes) => decode(utf8(bytes, path)) });
      }
      case 'json-lines':
        return jsonLines(data, {
          signature,
          decoder: this.#decoder,
          group,
          label,
          maxLineBytes: maxFileBytes,
          maxLines: this.#limits.maxSamples,
          labelFrom: (value, where) => labelOf(value, classes, where),
        });
    }
  }
}

function needsTask(path: string, what: string, tasks: string): never {
  throw dataError(
    'DATA_NEEDS_TASK',
    `${path} is ${what}, and the model's task does not say how that becomes tensors.`,
    `Set a task such as ${tasks} in model.json, or record the tensors themselves in .npz files.`,
  );
}

function utf8(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw damaged(path, 'it is not UTF-8', cause);
  }
}

function assetReader(folder: string | undefined): ReadAsset {
  return (path) => {
    if (folder !== undefined) return readFileSync(join(folder, path));
    throw dataError(
      'DATA_NEEDS_TASK',
      `The task names the file ${path}, and nothing says where it lies.`,
      'Open the data with the folder of model.json.',
    );
  };
}
