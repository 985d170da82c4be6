/**
 * One explicit recipe as a process of its own, from what is shipped (dist/), beside peer.py's `quantize`: static QDQ with min-max ranges,
 * per channel, every node that takes it.
 *
 *     node recipe-process.mjs SOURCE TARGET FEEDS [ROWS]
 */

import { openDataSet } from '../../dist/esm/compiler/data/open-data-set.js';
import { writeModel } from '../../dist/esm/compiler/ir/serialization/write.js';
import { nodesOf } from '../../dist/esm/compiler/ir/traversal.js';
import { runPasses } from '../../dist/esm/compiler/passes/pass.js';
import { lossless, normalize } from '../../dist/esm/compiler/passes/presets.js';
import { applyPlan } from '../../dist/esm/compiler/quantize/apply-plan.js';
import { calibrate } from '../../dist/esm/compiler/quantize/calibration/calibrate.js';
import { nodeKeyOf } from '../../dist/esm/compiler/quantize/node-key.js';
import { activationParameters } from '../../dist/esm/compiler/quantize/parameters/scale-and-zero-point.js';
import { EMPTY_PLAN } from '../../dist/esm/compiler/quantize/plan.js';
import { rewriteOf } from '../../dist/esm/compiler/quantize/schemes/registry.js';
import { readModel } from '../../dist/esm/compiler/readers/read-model.js';
import { inferTypes } from '../../dist/esm/compiler/runtime/infer-types.js';
import { expectSession } from '../../dist/esm/compiler/runtime/session.js';

const RECIPE = { scheme: 'int8-static', activations: 'uint8', weights: 'int8', perChannel: true, reduceRange: false };
const [source, target, feeds, rows] = process.argv.slice(2);

expectSession();
const model = await readModel(source);
await runPasses(model, normalize());
await inferTypes(model);
expectSession();
await runPasses(model, lossless());
const scheme = rewriteOf(RECIPE.scheme);
const assignments = [...nodesOf(model)]
  .filter((node) => scheme.refusal(node, RECIPE) === undefined)
  .map((node) => ({ node, recipe: RECIPE }));
const inputs = model.graph.inputs.map(({ name, type }) => ({
  name,
  dataType: type.elementType,
  shape: type.shape ?? null,
}));
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
