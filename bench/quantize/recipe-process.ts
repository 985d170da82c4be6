/**
 * One explicit recipe as a process of its own, bundled as our commands are, beside peer.py's `quantize`: static QDQ with min-max ranges,
 * per channel, every node that takes it. Parameters: SOURCE TARGET FEEDS [ROWS].
 */
import type { DataType } from '../../lib/artifact/manifest.js';
import type { StaticRecipe } from '../../lib/artifact/recipe.js';
import { openDataSet } from '../../lib/compiler/data/open-data-set.js';
import { writeModel } from '../../lib/compiler/ir/serialization/write.js';
import { nodesOf } from '../../lib/compiler/ir/traversal.js';
import { runPasses } from '../../lib/compiler/passes/pass.js';
import { lossless, normalize } from '../../lib/compiler/passes/presets.js';
import { applyPlan } from '../../lib/compiler/quantize/apply-plan.js';
import { calibrate } from '../../lib/compiler/quantize/calibration/calibrate.js';
import { nodeKeyOf } from '../../lib/compiler/quantize/node-key.js';
import { activationParameters } from '../../lib/compiler/quantize/parameters/scale-and-zero-point.js';
import { EMPTY_PLAN } from '../../lib/compiler/quantize/plan.js';
import { rewriteOf } from '../../lib/compiler/quantize/schemes/registry.js';
import { readModel } from '../../lib/compiler/readers/read-model.js';
import { inferTypes } from '../../lib/compiler/runtime/infer-types.js';
import { expectSession } from '../../lib/compiler/runtime/session.js';

const RECIPE: StaticRecipe = {
  scheme: 'int8-static',
  activations: 'uint8',
  weights: 'int8',
  perChannel: true,
  reduceRange: false,
};
const [source = '', target = '', feeds = '', rows] = process.argv.slice(2);

expectSession();
const model = await readModel(source);
await runPasses(model, normalize());
await inferTypes(model);
expectSession();
await runPasses(model, lossless());
const scheme = rewriteOf(RECIPE.scheme);
if (scheme === undefined) throw new Error(`no scheme ${RECIPE.scheme}`);
const assignments = [...nodesOf(model)]
  .filter((node) => scheme.refusal(node, RECIPE) === undefined)
  .map((node) => ({ node, recipe: RECIPE }));
const inputs = model.graph.inputs.map(({ name, type }) => {
  if (type?.kind !== 'tensor') throw new Error(`${name} is no tensor`);
  return { name, dataType: type.elementType as DataType, shape: type.shape?.map((size) => size ?? null) ?? null };
});
const data = await openDataSet(feeds, { task: { type: 'tensor' }, signature: { inputs, outputs: [] } });
const values = scheme.activations(assignments);
const calibration = await calibrate(model, data, {
  values,
  methods: ['min-max'],
  ids: data.ids.slice(0, Number(rows ?? data.ids.length)),
});
const activations = values.flatMap((name) => {
  const range = calibration.range(name, { kind: 'min-max' }, RECIPE.activations);
  return range === undefined ? [] : [activationParameters(name, range, { dataType: RECIPE.activations })];
});
const recipes = assignments.map(({ node, recipe }) => ({ node: nodeKeyOf(node), recipe }));
const { declined } = await applyPlan(model, { ...EMPTY_PLAN, recipes, activations });
await writeModel(model, target);
process.stdout.write(`${JSON.stringify({ nodes: recipes.length - declined.length, samples: calibration.samples })}\n`);
