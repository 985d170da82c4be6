/**
 * `POST /predict/{model}` for Triton: the task's pipeline makes tensors of the body here, and predictions of Triton's. Lambda gets such a
 * request as it came.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ASSETS_FOLDER } from '../../../lib/artifact/manifest.js';
import { RuntimeError } from '../../../lib/errors.js';
import { DEFAULT_PICTURE_LIMITS } from '../../../lib/tasks/image/picture.js';
import { runPrepared } from '../../../lib/tasks/run-prepared.js';
import { createTaskPipeline, type PreparedRequest, type TaskPipeline } from '../../../lib/tasks/task-pipeline.js';
import { type HttpRequest, type HttpResponse, mediaType } from '../../http/http.js';
import { readTaskBody, taskInputs, taskOutputs, taskResponse } from '../../http/task-messages.js';
import type { ServedInterface } from '../model-interface.js';
import type { Outcome } from '../policy/outcome.js';
import type { TargetAnswer } from '../targets/answer.js';
import type { BinaryInferBody } from '../targets/triton-body.js';
import { type AskTriton, askForTensors, encodeTensors, INVALID_ANSWER, readTensors } from './triton-tensors.js';

/** What of the router's memory is not for a picture: Node, the request and the tensors made of it. */
const OTHER_MEMORY_MIB = 256;
const MIB = 1024 * 1024;

let opened: { readonly of: ServedInterface; readonly pipeline: TaskPipeline | undefined } | undefined;

/**
 * A sequence asks once a window, one after the other, until it ends or `ask` has no time left.
 *
 * @throws RequestError for what is wrong with the body, as the function that predicts says it
 */
export async function answerTask(
  request: HttpRequest,
  served: ServedInterface,
  ask: AskTriton,
): Promise<Outcome<TargetAnswer>> {
  const { signature } = served.description;
  const prepared = await prepare(request, served);
  try {
    const outputs = await runPrepared(prepared, async (feeds) => {
      const answer = await askForTensors(ask, { id: request.requestId, inputs: taskInputs(feeds) }, signature);
      if (answer.kind === 'none') throw new Unanswered(answer.outcome);
      return taskOutputs(answer.tensors);
    });
    const response = taskResponse(served.description, prepared.conclude(outputs));
    return { kind: 'answer', answer: { kind: 'response', response } };
  } catch (error) {
    if (error instanceof Unanswered) return error.outcome;
    // Tensors that the task cannot read.
    if (error instanceof RuntimeError) return INVALID_ANSWER;
    throw error;
  }
}

/**
 * Tensors for a queue, of a task that runs the model once.
 *
 * @throws RequestError as `answerTask`
 */
export async function encodeTask(request: HttpRequest, served: ServedInterface): Promise<BinaryInferBody> {
  const { feeds, next } = await prepare(request, served);
  if (next !== undefined) throw new TypeError('the windows of a sequence wait for each other');
  // Without the caller's id: sent once more, the request is the same.
  return encodeTensors({ id: undefined, inputs: taskInputs(feeds) }, served.description.signature);
}

/** What Triton made of `encodeTask`'s tensors, for the one who asked; undefined for what is no answer to it. */
export async function concludeTask(
  request: HttpRequest,
  served: ServedInterface,
  answer: HttpResponse,
): Promise<HttpResponse | undefined> {
  const tensors = readTensors(answer, served.description.signature);
  if (tensors === undefined) return undefined;
  const { conclude } = await prepare(request, served);
  try {
    return taskResponse(served.description, conclude(taskOutputs(tensors)));
  } catch (error) {
    if (error instanceof RuntimeError) return undefined;
    throw error;
  }
}

async function prepare(request: HttpRequest, served: ServedInterface): Promise<PreparedRequest> {
  const pipeline = pipelineOf(served);
  if (pipeline === undefined) throw new TypeError('a model without a task has no predictions');
  return await pipeline.prepare(readTaskBody(request, pipeline.accepts), mediaType(request));
}

/** Ends a sequence. */
class Unanswered extends Error {
  constructor(readonly outcome: Outcome<TargetAnswer>) {
    super(outcome.kind);
  }
}

function pipelineOf(served: ServedInterface): TaskPipeline | undefined {
  if (opened?.of !== served) {
    const { folder, description } = served;
    const pipeline = createTaskPipeline(description.task, description.signature, {
      readAsset: (path) => readFileSync(join(folder, ASSETS_FOLDER, path)),
      pictureLimits: { maxDecodedBytes: decodedBytes(process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE) },
    });
    opened = { of: served, pipeline };
  }
  return opened.pipeline;
}

function decodedBytes(memoryMiB: string | undefined): number {
  const available = (Number(memoryMiB) - OTHER_MEMORY_MIB) * MIB;
  return available > 0
    ? Math.min(DEFAULT_PICTURE_LIMITS.maxDecodedBytes, available)
    : DEFAULT_PICTURE_LIMITS.maxDecodedBytes;
}
