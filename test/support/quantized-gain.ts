/** What a technique gains: models on real inputs, quantized with and without it, compared with what they answer in float32. */
import { join } from 'node:path';
import { Tensor as OrtTensor } from 'onnxruntime-node';
import type { Recipe } from '../../lib/artifact/recipe.js';
import { readModelJson } from '../../lib/compiler/build/configuration.js';
import type { DataSet, Feeds } from '../../lib/compiler/data/data-set.js';
import { runtimeFeeds } from '../../lib/compiler/data/task-decoder.js';
import { copyModel } from '../../lib/compiler/ir/copy.js';
import type { Model } from '../../lib/compiler/ir/model.js';
import type { Node } from '../../lib/compiler/ir/node.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import type { Tensor } from '../../lib/compiler/ir/tensor.js';
import { nodesOf } from '../../lib/compiler/ir/traversal.js';
import { withWeights } from '../../lib/compiler/quantize/accuracy/weight-slots.js';
import { applyPlan } from '../../lib/compiler/quantize/apply-plan.js';
import { calibrate } from '../../lib/compiler/quantize/calibration/calibrate.js';
import { nodeKeyOf } from '../../lib/compiler/quantize/node-key.js';
import { activationParameters } from '../../lib/compiler/quantize/parameters/scale-and-zero-point.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../../lib/compiler/quantize/plan.js';
import type { Assignment } from '../../lib/compiler/quantize/scheme.js';
import { rewriteOf } from '../../lib/compiler/quantize/schemes/registry.js';
import { createImagePipeline } from '../../lib/tasks/image/image-pipeline.js';
import { type Outputs, signalToNoise } from './before-and-after.js';
import { dataSet } from './calibration-data.js';
import { runModel } from './run-model.js';
import { samplePhoto, samplePhotoNames } from './sample-photos.js';

/** The six photos of faces, as the face detector's endpoint feeds them. */
export function photoFeeds(): Feeds[] {
  const { task } = readModelJson(join(import.meta.dirname, '../../models/faces/model.json'));
  if (task.type !== 'object-detection') throw new TypeError('the face detector detects objects');
  const input = { name: 'input:0', dataType: 'float32', shape: [1, 256, 256, 3] } as const;
  const pipeline = createImagePipeline(task.image, { inputs: [input], outputs: [] });
  return samplePhotoNames.map((name) => runtimeFeeds(pipeline.prepare(samplePhoto(name)).feeds));
}

/** onnxruntime's tensors for the compiler. */
export function toFeeds(feeds: Readonly<Record<string, OrtTensor>>): Feeds {
  const entries = Object.entries(feeds).map(([name, { type, dims, data }]) => [name, { dataType: type, dims, data }]);
  return Object.fromEntries(entries) as Feeds;
}

function toOrt(feeds: Feeds): Record<string, OrtTensor> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { dataType, dims, data }]) => [
      name,
      new OrtTensor(dataType as 'float32', data as Float32Array, [...dims]),
    ]),
  );
}

export class QuantizedModel {
  readonly model: Model;
  readonly recipe: Recipe;
  readonly calibration: DataSet;
  readonly assignments: readonly Assignment[];
  readonly #evaluation: readonly Feeds[];

  /** Every node that can have the recipe gets it. */
  constructor(model: Model, recipe: Recipe, calibration: readonly Feeds[], evaluation: readonly Feeds[]) {
    this.model = model;
    this.recipe = recipe;
    this.calibration = dataSet(calibration.map((feeds) => [feeds]));
    this.#evaluation = evaluation;
    const rewrite = rewriteOf(recipe.scheme);
    this.assignments = [...nodesOf(model)]
      .filter((node: Node) => rewrite?.refusal(node, recipe) === undefined)
      .map((node) => ({ node, recipe }));
  }

  /** Ranges are those of the model with these weights. */
  async plan(weights: ReadonlyMap<string, Tensor> = new Map()): Promise<QuantizationPlan> {
    const values = rewriteOf(this.recipe.scheme)?.activations(this.assignments) ?? [];
    const recipes = this.assignments.map(({ node, recipe }) => ({ node: nodeKeyOf(node), recipe }));
    if (values.length === 0) return { ...EMPTY_PLAN, weights, recipes };
    const changed = withWeights(this.model, weights);
    const calibration = await calibrate(changed, this.calibration, { values, methods: ['min-max'] });
    const activations = values.flatMap((name) => {
      const range = calibration.range(name, { kind: 'min-max' });
      return range === undefined
        ? []
        : [
            activationParameters(name, range, {
              dataType: this.recipe.scheme === 'int8-static' ? this.recipe.activations : 'uint8',
            }),
          ];
    });
    return { ...EMPTY_PLAN, weights, recipes, activations };
  }

  /** 10 · log10(Σ y² / Σ Δ²) over all outputs and evaluation samples, in dB. */
  async signalToNoise(plan: QuantizationPlan): Promise<number> {
    const quantized = copyModel(this.model);
    const { declined } = applyPlan(quantized, plan);
    if (declined.length > 0) throw new Error(`the plan could not be followed: ${JSON.stringify(declined)}`);
    const [original, changed] = [modelToBytes(this.model), modelToBytes(quantized)];
    const answers = { before: {} as Record<string, OrtTensor>, after: {} as Record<string, OrtTensor> };
    for (const [index, feeds] of this.#evaluation.entries()) {
      const [before, after] = [await runModel(original, toOrt(feeds)), await runModel(changed, toOrt(feeds))];
      for (const name of Object.keys(before)) {
        answers.before[`${index} ${name}`] = before[name] as OrtTensor;
        answers.after[`${index} ${name}`] = after[name] as OrtTensor;
      }
    }
    const joined = ({ before, after }: typeof answers): [Outputs, Outputs] => [
      { all: join32(before) },
      { all: join32(after) },
    ];
    return signalToNoise(...joined(answers));
  }
}

function join32(tensors: Readonly<Record<string, OrtTensor>>): OrtTensor {
  const numbers = Object.values(tensors).flatMap(({ data }) => Array.from(data as Float32Array));
  return new OrtTensor('float32', Float32Array.from(numbers), [numbers.length]);
}
