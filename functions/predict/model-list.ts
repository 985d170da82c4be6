/** The models of the endpoint that this function answers for. */
import type { Manifest } from '../../lib/artifact/manifest.js';
import { ConfigurationError } from '../../lib/errors.js';
import { type ListedModel, ROUTINGS } from '../../lib/protocol/metadata.js';

/** Set on the function that answers for the server, by InferenceApi. */
const VARIABLE = 'CDK_ONNX_MODELS';

/**
 * The list in `CDK_ONNX_MODELS`; without it, the function's own model. Of the own model the manifest's version counts: it is the one
 * that answers.
 *
 * @throws ConfigurationError `MODEL_LIST_INVALID`
 */
export function readModelList(environment: NodeJS.ProcessEnv, own: Manifest): readonly ListedModel[] {
  const self: ListedModel = { name: own.name, version: own.modelVersion };
  const text = environment[VARIABLE];
  if (text === undefined || text === '') return [self];
  return parseList(text).map((model) => (model.name === self.name ? { ...model, ...self } : model));
}

function parseList(text: string): ListedModel[] {
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every(isListedModel)) return list;
  } catch {
    // Said below.
  }
  throw new ConfigurationError({
    code: 'MODEL_LIST_INVALID',
    message: `${VARIABLE} is no JSON array of models.`,
    advice: `Set it to [{ "name": "…", "version": 1 }] as InferenceApi does, or remove it.`,
  });
}

function isListedModel(value: unknown): value is ListedModel {
  const { name, version, routing } = (value ?? {}) as Partial<ListedModel>;
  const isKnown = routing === undefined || ROUTINGS.includes(routing);
  return typeof name === 'string' && typeof version === 'number' && Number.isInteger(version) && isKnown;
}
