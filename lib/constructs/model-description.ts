/** What a construct must know of a model before it is built: its name and the kind of its task. The build checks the rest. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INPUT_PROFILE_FILE, INPUT_PROFILE_VERSION, type InputProfile } from '../artifact/input-profile.js';
import { MANIFEST_FILE, MANIFEST_SCHEMA_VERSION, type Manifest } from '../artifact/manifest.js';
import type { Task } from '../artifact/task.js';
import { SynthesisError } from '../errors.js';

export const MODEL_JSON = 'model.json';

export interface ModelDescription {
  readonly name: string;
  readonly taskType: Task['type'];
  /** 1 where model.json names none. */
  readonly version: number;
  /** As in model.json: a path, or `module:<package>/<path>`. */
  readonly source: string;
  /** The whole of model.json. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** @throws SynthesisError `MODEL_JSON_NOT_FOUND`, `MODEL_JSON_UNREADABLE` */
export function readModelDirectory(directory: string): ModelDescription {
  const file = join(directory, MODEL_JSON);
  const json = readJsonObject(file, {
    absent: 'MODEL_JSON_NOT_FOUND',
    unreadable: 'MODEL_JSON_UNREADABLE',
    advice: `A model is a folder with a ${MODEL_JSON}; paths are relative to the folder that the app runs in, ${process.cwd()}.`,
  });
  const { name, source, task, version = 1 } = json;
  const taskType = task === undefined ? 'tensor' : isRecord(task) ? task.type : undefined;
  if (typeof name !== 'string' || typeof source !== 'string' || typeof taskType !== 'string') {
    throw new SynthesisError({
      code: 'MODEL_JSON_UNREADABLE',
      message: `${file} lacks a name, a source or the type of its task.`,
      advice: 'Give "name" and "source" as texts, and "task" as { "type": … } or not at all.',
    });
  }
  // An unknown type, or a version that is no number, stops the build, which checks model.json against its schema.
  return { name, source, taskType: taskType as Task['type'], version: version as number, json };
}

/** @throws SynthesisError `ARTIFACT_NOT_FOUND`, `ARTIFACT_DAMAGED` */
export function readArtifact(folder: string): Manifest {
  const file = join(folder, MANIFEST_FILE);
  const json = readJsonObject(file, {
    absent: 'ARTIFACT_NOT_FOUND',
    unreadable: 'ARTIFACT_DAMAGED',
    advice: 'An artifact is a folder that `cdk-onnx build <model> --out <folder>` wrote.',
  });
  if (!isManifest(json)) {
    throw new SynthesisError({
      code: 'ARTIFACT_DAMAGED',
      message: `${file} is no manifest of schema version ${MANIFEST_SCHEMA_VERSION} (it says ${String(json.schemaVersion)}).`,
      advice: 'Build the artifact again with this version of cdk-onnx.',
    });
  }
  return json;
}

/** Undefined where the build recorded none. @throws SynthesisError `ARTIFACT_DAMAGED` */
export function readInputProfile(folder: string): InputProfile | undefined {
  if (!readArtifact(folder).files.some(({ path }) => path === INPUT_PROFILE_FILE)) return undefined;
  const advice = 'Build the artifact again with this version of cdk-onnx.';
  const file = join(folder, INPUT_PROFILE_FILE);
  const json = readJsonObject(file, { absent: 'ARTIFACT_DAMAGED', unreadable: 'ARTIFACT_DAMAGED', advice });
  if (json.schemaVersion === INPUT_PROFILE_VERSION) return json as unknown as InputProfile;
  throw new SynthesisError({
    code: 'ARTIFACT_DAMAGED',
    message: `${file} has schemaVersion ${String(json.schemaVersion)}, ${INPUT_PROFILE_VERSION} expected.`,
    advice,
  });
}

function isManifest(json: Readonly<Record<string, unknown>>): json is Readonly<Record<string, unknown>> & Manifest {
  return (
    json.schemaVersion === MANIFEST_SCHEMA_VERSION &&
    typeof json.name === 'string' &&
    /^[0-9a-f]{64}$/.test(String(json.contentHash)) &&
    isRecord(json.task) &&
    typeof json.task.type === 'string' &&
    Array.isArray(json.files) &&
    json.files.every(
      (file: unknown) =>
        isRecord(file) &&
        typeof file.path === 'string' &&
        !file.path.startsWith('/') &&
        !file.path.split(/[\\/]/).includes('..') &&
        typeof file.sha256 === 'string' &&
        typeof file.bytes === 'number',
    )
  );
}

function readJsonObject(
  file: string,
  failure: { readonly absent: string; readonly unreadable: string; readonly advice: string },
): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SynthesisError({
      code: failure.absent,
      message: `${file} could not be read.`,
      advice: failure.advice,
      cause,
    });
  }
  try {
    const json: unknown = JSON.parse(text);
    if (isRecord(json)) return json;
  } catch (cause) {
    throw new SynthesisError({
      code: failure.unreadable,
      message: `${file} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      advice: 'Mend the file; comments and trailing commas are not JSON.',
      cause,
    });
  }
  throw new SynthesisError({
    code: failure.unreadable,
    message: `${file} holds no JSON object.`,
    advice: failure.advice,
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
