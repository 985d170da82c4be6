/** `POST /v2/models/{model}/infer` */
import { RequestError } from '../../lib/errors.js';
import { BodyMemory } from '../../lib/protocol/aligned-body.js';
import { decodeInferRequest, type InferBody } from '../../lib/protocol/infer-request.js';
import { encodeInferResponse } from '../../lib/protocol/infer-response.js';
import {
  type AnswerOptions,
  type HttpRequest,
  type HttpResponse,
  jsonResponse,
  mediaType,
  refuseEncodedBody,
} from './http.js';
import type { Model } from './model.js';
import { checkTextSize } from './result-size.js';

const HEADER_LENGTH = 'inference-header-content-length';
const MEDIA_TYPES = ['application/json', 'application/octet-stream', ''];
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
  refuseEncodedBody(request);
  const headerLength = readHeaderLength(request.headers[HEADER_LENGTH]);
  const type = mediaType(request);
  const { content, isBase64 } = request.body;
  if (headerLength === undefined && !MEDIA_TYPES.includes(type)) {
    throw new RequestError({
      status: 415,
      code: 'MEDIA_TYPE_UNSUPPORTED',
      message: `The body's Content-Type is ${JSON.stringify(type.slice(0, 80))}.`,
      advice: 'Send application/json, or application/octet-stream with the header Inference-Header-Content-Length.',
    });
  }
  if (isBase64) return { kind: 'bytes', bytes: bodyMemory.decode(content, headerLength ?? 0), headerLength };
  if (headerLength === undefined || headerLength === Buffer.byteLength(content)) return { kind: 'text', text: content };
  throw new RequestError({
    status: 415,
    code: 'BINARY_BODY_AS_TEXT',
    message: `A body with binary tensors came as ${JSON.stringify(type.slice(0, 80))}, which API Gateway reads as text.`,
    advice: 'Send it with Content-Type: application/octet-stream.',
  });
}

function readHeaderLength(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const length = Number(header);
  if (/^\d{1,15}$/.test(header.trim())) return length;
  throw new RequestError({
    status: 400,
    code: 'HEADER_LENGTH_INVALID',
    message: `Inference-Header-Content-Length is ${JSON.stringify(header.slice(0, 40))}.`,
    advice: 'Send the length of the JSON document in bytes.',
  });
}
