/** From a model folder to the graph that recipes speak of: what builds and searches have in common. */

import { copyModel } from '../ir/copy.js';
import type { Model } from '../ir/model.js';
import { validate } from '../ir/validation.js';
import type { Value } from '../ir/value.js';
import { type PassesResult, runPasses } from '../passes/pass.js';
import { lossless, normalize } from '../passes/presets.js';
import { readModel } from '../readers/read-model.js';
import { inferTypes } from '../runtime/infer-types.js';
import { expectSession } from '../runtime/session.js';
import { type ModelFolder, readModelFolder } from './configuration.js';

export interface PrepareOptions {
  /** Told the name of each step as it begins. */
  readonly onStep?: (name: string) => void;
  readonly signal?: AbortSignal;
}

export interface PreparedModel extends ModelFolder {
  /** Normalized, with types, rewritten without loss. */
  readonly model: Model;
  /** Inputs of the source that became constants. */
  readonly frozen: readonly Value[];
  readonly passes: PassesResult;
  /** Normalized, with types, before fusion; where model.json has a `gpu` section. */
  readonly unfused: Model | undefined;
}

/** @throws CdkOnnxError for a folder, a source or a graph that cannot be used */
export async function prepareModel(modelDirectory: string, options: PrepareOptions = {}): Promise<PreparedModel> {
  return await prepareFolder(readModelFolder(modelDirectory), options);
}

export async function prepareFolder(folder: ModelFolder, options: PrepareOptions = {}): Promise<PreparedModel> {
  const step = (name: string) => {
    options.signal?.throwIfAborted();
    options.onStep?.(name);
  };
  const { configuration, source } = folder;
  step(`reading ${configuration.source}`);
  expectSession();
  const model = await readModel(source);
  validate(model);
  const frozen = model.graph.inputs.filter(({ name }) => configuration.inputs[name]?.value !== undefined);

  step('normalizing the graph');
  const normalized = await runPasses(model, normalize({ inputs: configuration.inputs }));
  step('asking onnxruntime for types and shapes');
  await inferTypes(model, options.signal === undefined ? {} : { signal: options.signal });
  // What is made of the graph is run, whoever asked for it.
  expectSession();
  const unfused = configuration.gpu === undefined ? undefined : copyModel(model);
  step('rewriting the graph without loss');
  const rewritten = await runPasses(model, lossless());
  return { ...folder, model, frozen, passes: joinPasses(normalized, rewritten), unfused };
}

/** As if one run had run all of them; passes that run again decline the same thing again. */
export function joinPasses(...results: readonly PassesResult[]): PassesResult {
  const declined = results.flatMap((result) => result.declined);
  return {
    modified: [...new Set(results.flatMap((result) => result.modified))],
    declined: [...new Map(declined.map((entry) => [`${entry.pass}\n${entry.reason}`, entry])).values()],
  };
}
