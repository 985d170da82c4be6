/** What onnxruntime-node makes of a model of libonnx-testdata and its recorded inputs. */

import type { OnnxValue } from 'onnxruntime-node';
import { readOnnx } from '../../lib/compiler/readers/onnx.js';
import { fromOrt, toOrtFeeds } from './compare-outputs.js';
import { recordedInputs, type TestModel } from './onnx-testdata.js';
import { runModel } from './run-model.js';

export type Feeds = ReturnType<typeof toOrtFeeds>;

export interface RecordedRun {
  readonly feeds: Feeds;
  readonly outputs: Readonly<Record<string, OnnxValue>>;
}

/** One run for each recorded set of inputs. @throws what onnxruntime-node throws for a model that it does not open or run */
export async function runTestModel(testModel: TestModel): Promise<RecordedRun[]> {
  const model = await readOnnx(testModel.path);
  const runs: RecordedRun[] = [];
  for (const dataSet of testModel.dataSets) {
    const inputs = recordedInputs(model, dataSet);
    if (inputs === undefined) throw new Error('onnxruntime-node takes no sequences and optionals as inputs');
    const feeds = toOrtFeeds(inputs);
    const outputs = await runModel(testModel.path, feeds);
    for (const value of Object.values(outputs)) fromOrt(value);
    runs.push({ feeds, outputs });
  }
  return runs;
}

/** An error's message without what depends on the machine. */
export function errorText(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return (message.split('\n')[0] ?? '').replace(/^Load model from \S+ failed:/, '').slice(0, 240);
}
