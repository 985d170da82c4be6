/** `POST /predict/{model}`: what the task makes of a raw body. */
import { runPrepared } from '../../lib/tasks/run-prepared.js';
import type { TaskPipeline } from '../../lib/tasks/task-pipeline.js';
import { type HttpRequest, type HttpResponse, mediaType } from '../http/http.js';
import { readTaskBody, taskInputs, taskOutputs, taskResponse } from '../http/task-messages.js';
import type { Model } from './model.js';
import type { Stopwatch } from './stopwatch.js';

/** @throws RequestError for what is wrong with the body */
export async function predict(
  request: HttpRequest,
  { artifact, run }: Model,
  pipeline: TaskPipeline,
  stopwatch: Stopwatch,
): Promise<HttpResponse> {
  const { manifest } = artifact;
  const prepared = await pipeline.prepare(readTaskBody(request, pipeline.accepts), mediaType(request));
  stopwatch.lap('DecodeTime');
  const names = manifest.signature.outputs.map((output) => output.name);
  const outputs = await runPrepared(prepared, async (feeds) => taskOutputs(await run(taskInputs(feeds), names)));
  stopwatch.lap('InferenceTime');
  return taskResponse(manifest, prepared.conclude(outputs));
}
