/** `cdk-onnx quantize`: one explicit recipe, for who knows what they want. */
import type { Task } from '../artifact/manifest.js';
import { sourceBytes } from '../artifact/source-content.js';
import { formatBytes } from '../artifact/units.js';
import { openDataSet } from '../compiler/data/open-data-set.js';
import { printable } from '../compiler/ir/print.js';
import { preparedSignature } from '../compiler/optimize/model-data.js';
import { planOfRecipe, prepareAnything } from '../compiler/optimize/quantize-model.js';
import { writeChanged } from '../compiler/optimize/write-changed.js';
import { recipeText } from '../compiler/report/tables.js';
import type { Command } from './command.js';
import { given } from './option-values.js';
import { createProgress } from './progress.js';
import { RECIPE_OPTIONS, rangeMethodOf, recipeOf } from './recipe-options.js';

export const quantizeCommand: Command = {
  name: 'quantize',
  summary: 'Gives every node that can have it one explicit recipe; measures no accuracy (optimize and compare do).',
  positionals: '<model or model directory>',
  options: {
    out: {
      type: 'string',
      placeholder: 'PATH',
      required: true,
      description: 'a file that ends with .onnx, or a folder that becomes an artifact (of a model directory)',
    },
    calibration: {
      type: 'string',
      placeholder: 'DIR',
      description: 'int8-static: samples that ranges are recorded on (default: those of model.json)',
    },
    ...RECIPE_OPTIONS,
    json: { type: 'boolean', description: 'print one JSON object on stdout' },
  },
  async run({ positionals: [path = ''], options, signal }) {
    const recipe = recipeOf(options);
    const method = rangeMethodOf(options.range);
    const progress = createProgress();
    const onStep = (name: string) => progress.step(name);
    try {
      await using prepared = await prepareAnything(path, { signal, onStep });
      const { configuration, directory, source } = prepared;
      const calibrationPath = options.calibration ?? calibrationOf(configuration.optimize?.calibration, directory);
      const isNeeded = recipe.scheme === 'int8-static' && typeof calibrationPath === 'string';
      const calibration = isNeeded
        ? await openCalibration(calibrationPath, configuration.task, prepared, signal)
        : undefined;
      onStep(isNeeded ? 'recording ranges' : 'choosing nodes');
      const { plan, refused } = await planOfRecipe(prepared, {
        recipe,
        method,
        signal,
        onProgress: (done, of) => progress.detail(`${done} of ${of}`),
        ...given({ calibration }),
      });
      const written = await writeChanged({ prepared, plan, out: String(options.out), signal, onStep });
      progress.done();
      const before = sourceBytes(source);
      const all = [...refused, ...written.declined];
      const nodes = plan.recipes.length - written.declined.length;
      const summary = {
        path: written.path,
        recipe,
        nodes,
        refused: all,
        bytes: { source: before, written: written.bytes },
      };
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify({ ...summary, equivalence: written.equivalence })}\n`
          : [
              `${written.path}  ${formatBytes(written.bytes)} (source ${formatBytes(before)}, ${(written.bytes / before).toFixed(2)} ×)`,
              `  ${nodes} nodes: ${recipeText(recipe)}`,
              ...reasons(all),
              `  ${written.equivalence}`,
              '',
            ].join('\n'),
      );
      return 0;
    } finally {
      progress.done();
    }
  },
};

function calibrationOf(path: string | undefined, directory: string): string | undefined {
  return path === undefined ? undefined : `${directory}/${path}`;
}

async function openCalibration(
  path: string,
  task: Task,
  prepared: Awaited<ReturnType<typeof prepareAnything>>,
  signal: AbortSignal,
) {
  const signature = await preparedSignature(prepared, signal);
  const frozenInputs = prepared.frozen.map(({ name }) => name);
  return await openDataSet(path, { task, signature, frozenInputs, assets: prepared.directory, signal });
}

/** The same reason once, with how many nodes it kept in float32. */
export function reasons(refused: readonly { readonly node: string; readonly reason: string }[]): string[] {
  const groups = new Map<string, string[]>();
  for (const { node, reason } of refused) groups.set(reason, [...(groups.get(reason) ?? []), node]);
  return [...groups].map(([reason, nodes]) => {
    const [first = ''] = nodes;
    return `  left alone: ${nodes.length === 1 ? printable(first) : `${nodes.length} nodes`}: ${printable(reason)}`;
  });
}
