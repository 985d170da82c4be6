/** `POST /v2/models/{model}/infer` */
import { BodyMemory } from '../../lib/protocol/aligned-body.js';
import { decodeInferRequest, type InferBody } from '../../lib/protocol/infer-request.js';
import { encodeInferResponse } from '../../lib/protocol/infer-response.js';
import { type HttpRequest, type HttpResponse, jsonResponse } from '../http/http.js';
import { HEADER_LENGTH, readInferBody } from '../http/infer-body.js';
import { checkTextSize } from '../http/result-size.js';
import type { AnswerOptions } from './answer-options.js';
import type { Model } from './model.js';

const bodyMemory = new BodyMemory();

/** @throws RequestError for what is wrong with the request, or with an answer in JSON */
export async function infer(
  request: HttpRequest,
  { artifact, run }: Model,
  { stopwatch, maxResponseBytes }: AnswerOptions,
): Promise<HttpResponse> {
  const { name, modelVersion, signature } = artifact.manifest;
  const body = inferBody(request);
  const { id, inputs, outputs } = decodeInferRequest(body, signature);
  stopwatch.lap('DecodeTime');
  const results = await run(
    inputs,
    outputs.map((output) => output.name),
  );
  // onnxruntime-node's outputs have memory of their own, even those that are inputs unchanged.
  if (body.kind === 'bytes') bodyMemory.reclaim(body.bytes);
  stopwatch.lap('InferenceTime');
  const forms = new Map(outputs.map((output) => [output.name, output.form]));
  const formed = results.map((tensor) => ({ ...tensor, form: forms.get(tensor.name) ?? 'json' }));
  for (const { form, data } of formed) if (form === 'json') checkTextSize(data.length, maxResponseBytes);
  const { text, binary } = encodeInferResponse({
    modelName: name,
    modelVersion: String(modelVersion),
    id,
    outputs: formed,
  });
  if (binary.length === 0) return jsonResponse(200, text);
  const document = Buffer.from(text);
  return {
    status: 200,
    headers: { 'content-type': 'application/octet-stream', [HEADER_LENGTH]: String(document.byteLength) },
    body: [document, ...binary],
  };
}

function inferBody(request: HttpRequest): InferBody {
  const body = readInferBody(request);
  if (body.kind === 'text') return body;
  return {
    kind: 'bytes',
    bytes: bodyMemory.decode(body.base64, body.headerLength ?? 0),
    headerLength: body.headerLength,
  };
}
