/** From a model folder to the graph that recipes speak of: what builds and searches have in common. */

import { resolve } from 'node:path';
import { copyModel } from '../ir/copy.js';
import type { Model } from '../ir/model.js';
import { validate } from '../ir/validation.js';
import type { Value } from '../ir/value.js';
import { asModelFile, type ModelFile } from '../metrics/model-file.js';
import { checkParity, type ParityReport } from '../parity/gate.js';
import { type PassesResult, runPasses } from '../passes/pass.js';
import { conversion, lossless, normalize } from '../passes/presets.js';
import { onnxReader } from '../readers/onnx.js';
import { type OpenedModel, openModel } from '../readers/read-model.js';
import { inferTypes } from '../runtime/infer-types.js';
import { expectSession } from '../runtime/session.js';
import { type ModelFolder, readModelFolder } from './configuration.js';
import { settingsForRewrites } from './equivalence.js';
import { feedOf } from './feeds.js';

export interface PrepareOptions {
  /** Told the name of each step as it begins. */
  readonly onStep?: (name: string) => void;
  readonly signal?: AbortSignal;
}

/** To be disposed of when neither the model nor its reference is needed any more: both may lie in temporary folders. */
export interface PreparedModel extends ModelFolder, AsyncDisposable {
  /** Normalized, with types, rewritten without loss. */
  readonly model: Model;
  /** An ONNX file that every rewrite is held against: the source itself, or what a reader made of it before any pass. */
  readonly reference: ModelReference;
  /** Inputs of the source that became constants. */
  readonly frozen: readonly Value[];
  readonly passes: PassesResult;
  /** Normalized, with types, before fusion; where model.json has a `gpu` section. */
  readonly unfused: Model | undefined;
  /** Where model.json names recorded samples. */
  readonly parity: ParityReport | undefined;
}

export interface ModelReference {
  readonly path: string;
  /** As people call the source's format. */
  readonly format: string;
  /** Whether it is the source's own file. */
  readonly isSource: boolean;
}

/** What results are compared with, for people: a conversion is no more than that until its source's own answers are recorded. */
export function referenceText({ isSource, format }: ModelReference): string {
  return isSource ? 'the source' : `the conversion from ${format}`;
}

/** @throws CdkOnnxError for a folder, a source or a graph that cannot be used; ArtifactError PARITY_STRAYS */
export async function prepareModel(modelDirectory: string, options: PrepareOptions = {}): Promise<PreparedModel> {
  return await prepareFolder(readModelFolder(modelDirectory), options);
}

export async function prepareFolder(folder: ModelFolder, options: PrepareOptions = {}): Promise<PreparedModel> {
  const { configuration, source } = folder;
  step(options, `reading ${configuration.source}`);
  expectSession();
  const opened = await openModel(source, { signature: configuration.signature, ...during(options) });
  let file: ModelFile | undefined;
  const dispose = async () => {
    await file?.[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
  };
  try {
    validate(opened.model);
    const isSource = opened.reader === onnxReader;
    if (!isSource) file = await asModelFile(opened.model);
    const reference = { path: file?.path ?? opened.path, format: opened.reader.name, isSource };
    return { ...(await rewritten(folder, opened, reference, options)), [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function rewritten(
  folder: ModelFolder,
  { model }: OpenedModel,
  reference: ModelReference,
  options: PrepareOptions,
): Promise<Omit<PreparedModel, typeof Symbol.asyncDispose>> {
  const { configuration } = folder;
  const frozen = model.graph.inputs.filter(({ name }) => configuration.inputs[name]?.value !== undefined);
  step(options, 'normalizing the graph');
  const normalized = await runPasses(model, normalize({ inputs: configuration.inputs }));
  step(options, 'asking onnxruntime for types and shapes');
  await inferTypes(model, during(options));
  // What is made of the graph is run, whoever asked for it.
  expectSession();
  let converted: PassesResult = { modified: [], declined: [] };
  if (!reference.isSource) {
    step(options, 'arranging what was converted');
    converted = await runPasses(model, conversion());
  }
  const unfused = configuration.gpu === undefined ? undefined : copyModel(model);
  step(options, 'rewriting the graph without loss');
  const rewritten = await runPasses(model, lossless());
  const parity = await parityOf(folder, model, { reference, frozen, ...options });
  return { ...folder, model, reference, frozen, passes: joinPasses(normalized, converted, rewritten), unfused, parity };
}

/**
 * The gate stands before any recipe: what recipes cost is judged by the budget, on data of its own, while what is checked here must hold to
 * rounding. It stands behind the lossless passes, because a fault of theirs is a fault all the same; and in front of searches too, which
 * would spend minutes on a model that is wrong.
 */
async function parityOf(
  { configuration, directory }: ModelFolder,
  model: Model,
  options: PrepareOptions & { readonly reference: ModelReference; readonly frozen: readonly Value[] },
): Promise<ParityReport | undefined> {
  const { parity } = configuration;
  if (parity === undefined) return undefined;
  step(options, `comparing with ${parity.samples}`);
  await using file = await asModelFile(model);
  return await checkParity(file.path, {
    samples: resolve(directory, parity.samples),
    tolerance: parity.tolerance,
    frozen: Object.fromEntries(options.frozen.map((value) => [value.name, feedOf(value)])),
    reference: options.reference.path,
    // A source that is ONNX is served as onnxruntime computes it, integers and all.
    settings: options.reference.isSource ? {} : settingsForRewrites(model, {}),
    ...during(options),
  });
}

function step({ signal, onStep }: PrepareOptions, name: string): void {
  signal?.throwIfAborted();
  onStep?.(name);
}

function during({ signal }: PrepareOptions): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** As if one run had run all of them; passes that run again decline the same thing again. */
export function joinPasses(...results: readonly PassesResult[]): PassesResult {
  const declined = results.flatMap((result) => result.declined);
  return {
    modified: [...new Set(results.flatMap((result) => result.modified))],
    declined: [...new Map(declined.map((entry) => [`${entry.pass}\n${entry.reason}`, entry])).values()],
  };
}
