/** Lays a model out as its user would: model.json, what it names, and the three data sets. */
import { copyFileSync, linkSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { prepareData } from './data/sets.js';
import { type BenchModel, MAXIMUM_LOSS } from './models.js';

export type Goal = 'size' | 'latency';

/** Below the folder of its data, which is large and shared by all that is done with the model. */
export async function modelFolder(model: BenchModel, goal: Goal): Promise<string> {
  const data = await prepareData(model.name, model.data);
  const folder = join(data, goal, model.name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const role of ['calibration', 'evaluation', 'holdout']) linkTree(join(data, role), join(folder, role));
  for (const file of [model.source, ...(model.files ?? [])]) copyFileSync(file, join(folder, basename(file)));
  const configuration = {
    name: model.name,
    source: basename(model.source),
    ...(model.inputs === undefined ? {} : { inputs: model.inputs }),
    task: model.task,
    stripNames: true,
    optimize: {
      goal,
      budget: { metric: model.metric, maxLoss: MAXIMUM_LOSS },
      calibration: 'calibration',
      evaluation: 'evaluation',
      holdout: 'holdout',
    },
  };
  writeFileSync(join(folder, 'model.json'), `${JSON.stringify(configuration, null, 2)}\n`);
  return folder;
}

/** Hard links: the data is large, and what reads it follows no symbolic ones. */
export function linkTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) linkTree(source, target);
    else linkSync(source, target);
  }
}
