/** Reads a model folder: its model.json, and where its source lies. */
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { resolveModelSource } from '../../artifact/model-source.js';
import { type ModelConfiguration, parseModelConfiguration } from '../../artifact/schema.js';
import { ConfigurationError } from '../../errors.js';

export const MODEL_JSON = 'model.json';

/** model.json is written by hand; one larger than this is a mistake. */
const MAX_BYTES = 1_000_000;

export interface ModelFolder {
  /** Absolute. */
  readonly directory: string;
  readonly configuration: ModelConfiguration;
  /** Absolute path of the source model. */
  readonly source: string;
}

/** A model.json on its own, wherever it lies. @throws ConfigurationError MODEL_JSON_MISSING, MODEL_JSON_INVALID */
export function readModelJson(file: string): ModelConfiguration {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (size === undefined || size > MAX_BYTES) {
    throw new ConfigurationError({
      code: 'MODEL_JSON_MISSING',
      message: size === undefined ? `There is no ${file}.` : `${file} has ${size} bytes, which no model.json has.`,
      advice: 'Point at a folder that holds a model.json with at least `name` and `source`.',
    });
  }
  return parseModelConfiguration(readFileSync(file, 'utf8'), file);
}

/** Whether a model.json of ours describes a folder: TensorFlow.js calls its topology by the same name. */
export function isModelFolder(path: string): boolean {
  const file = join(path, MODEL_JSON);
  return existsSync(file) && statSync(file).isFile() && !isTopology(file);
}

const TOPOLOGY = /"(modelTopology|weightsManifest)"\s*:/;
const HEAD_BYTES = 4096;

function isTopology(file: string): boolean {
  const descriptor = openSync(file, 'r');
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return TOPOLOGY.test(head.toString('latin1', 0, readSync(descriptor, head, 0, HEAD_BYTES, 0)));
  } finally {
    closeSync(descriptor);
  }
}

/** @throws ConfigurationError MODEL_JSON_MISSING, MODEL_JSON_INVALID, MODEL_NAME, SOURCE_NOT_FOUND */
export function readModelFolder(path: string): ModelFolder {
  const directory = resolve(path);
  const file = join(directory, MODEL_JSON);
  if (existsSync(file) && statSync(file).isFile() && isTopology(file)) {
    throw new ConfigurationError({
      code: 'MODEL_JSON_INVALID',
      message: `${file} is a TensorFlow.js model, not the description of one.`,
      advice: `Make a folder with a ${MODEL_JSON} of its own, whose \`source\` names this file.`,
    });
  }
  const configuration = readModelJson(file);
  if (configuration.name !== basename(directory)) {
    throw new ConfigurationError({
      code: 'MODEL_NAME',
      message: `${file} names the model '${configuration.name}', and its folder is '${basename(directory)}'.`,
      advice: 'Give both the same name: routes, layers and folders follow it.',
    });
  }
  return { directory, configuration, source: resolveModelSource(configuration.source, directory) };
}
