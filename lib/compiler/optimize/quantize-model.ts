/** One explicit recipe for every node that can have it: no search, no budget. */
import { basename, resolve } from 'node:path';
import type { QuantizationParameters, Recipe, StaticRecipe } from '../../artifact/recipe.js';
import { parseModelConfiguration } from '../../artifact/schema.js';
import { ConfigurationError } from '../../errors.js';
import { isModelFolder, MODEL_JSON, type ModelFolder, readModelFolder } from '../build/configuration.js';
import { type PreparedModel, prepareFolder } from '../build/prepare.js';
import type { DataSet } from '../data/data-set.js';
import type { Node } from '../ir/node.js';
import { nodesOf } from '../ir/traversal.js';
import { calibrate } from '../quantize/calibration/calibrate.js';
import type { RangeMethod } from '../quantize/calibration/range.js';
import { nodeKeyOf } from '../quantize/node-key.js';
import { activationParameters } from '../quantize/parameters/scale-and-zero-point.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../quantize/plan.js';
import { rewriteOf } from '../quantize/schemes/registry.js';

export interface RecipePlanOptions {
  readonly recipe: Recipe;
  /** For `int8-static`: what ranges are recorded on. */
  readonly calibration?: DataSet;
  /** How ranges are chosen. Default min-max. */
  readonly method?: RangeMethod;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface RecipePlan {
  readonly plan: QuantizationPlan;
  /** Nodes that hold weights or could be fused, and cannot have the recipe, with the reason. */
  readonly refused: readonly { readonly node: string; readonly reason: string }[];
}

/** A model file or a model's folder, prepared as a build prepares it. @throws CdkOnnxError of the reader and of model.json */
export async function prepareAnything(
  path: string,
  options: { readonly onStep?: (name: string) => void; readonly signal?: AbortSignal } = {},
): Promise<PreparedModel> {
  return await prepareFolder(folderOf(path), options);
}

/** A model by itself stands for a folder whose model.json says nothing else. */
function folderOf(path: string): ModelFolder {
  if (isModelFolder(path)) return readModelFolder(path);
  const configuration = parseModelConfiguration(JSON.stringify({ name: 'model', source: basename(path) }), MODEL_JSON);
  return { directory: resolve(path, '..'), configuration, source: resolve(path) };
}

/** Whether an output is meant to be a file, not the folder of an artifact. */
export function isModelFile(path: string): boolean {
  return /\.onnx$/i.test(path);
}

/**
 * @throws ConfigurationError CALIBRATION_REQUIRED for `int8-static` without data; RECIPE_FITS_NOTHING where no node can have the recipe
 */
export async function planOfRecipe({ model }: PreparedModel, options: RecipePlanOptions): Promise<RecipePlan> {
  const { recipe } = options;
  const rewrite = rewriteOf(recipe.scheme);
  if (rewrite === undefined) return { plan: EMPTY_PLAN, refused: [] };
  const nodes: Node[] = [];
  const refused: { node: string; reason: string }[] = [];
  for (const node of nodesOf(model)) {
    const reason = rewrite.refusal(node, recipe);
    if (reason === undefined) nodes.push(node);
    else if (holdsWeights(node)) refused.push({ node: nodeKeyOf(node).output, reason });
  }
  if (nodes.length === 0) {
    throw new ConfigurationError({
      code: 'RECIPE_FITS_NOTHING',
      message: `No node of the model can have the scheme ${recipe.scheme}${refused[0] === undefined ? '' : `: ${refused[0].reason}`}.`,
      advice: 'Choose another scheme; `cdk-onnx inspect` lists the operators.',
    });
  }
  const names = rewrite.activations(nodes.map((node) => ({ node, recipe })));
  const activations = recipe.scheme === 'int8-static' ? await recordRanges(model, names, recipe, options) : [];
  return {
    plan: { ...EMPTY_PLAN, recipes: nodes.map((node) => ({ node: nodeKeyOf(node), recipe })), activations },
    refused,
  };
}

/** Bytes from which a weight matters. */
const SMALL_BYTES = 1024;

function holdsWeights(node: Node): boolean {
  return node.inputs.some((value) => (value?.initializer?.byteLength ?? 0) >= SMALL_BYTES);
}

async function recordRanges(
  model: PreparedModel['model'],
  values: readonly string[],
  recipe: StaticRecipe,
  { calibration, method = { kind: 'min-max' }, signal, onProgress }: RecipePlanOptions,
): Promise<QuantizationParameters[]> {
  if (calibration === undefined) {
    throw new ConfigurationError({
      code: 'CALIBRATION_REQUIRED',
      message: 'The scheme int8-static needs recorded ranges of activations.',
      advice: 'Name a folder of samples with --calibration.',
    });
  }
  const found = await calibrate(model, calibration, {
    values,
    methods: [method.kind],
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return values.flatMap((name) => {
    const range = found.range(name, method, recipe.activations);
    // The scheme leaves nodes alone whose values are not known, and says so.
    return range === undefined ? [] : [activationParameters(name, range, { dataType: recipe.activations })];
  });
}
