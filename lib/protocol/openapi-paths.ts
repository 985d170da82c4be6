/** The paths of an OpenAPI document: which route takes what, and answers what. */
import type { ListedModel } from './metadata.js';
import {
  inferenceThroughRouter,
  jobPaths,
  queuedParameters,
  queuedThroughRouter,
  throughRouter,
} from './openapi-jobs.js';
import {
  BYTES,
  HEADER_LENGTH,
  json,
  type MediaType,
  type Operation,
  type PathItem,
  type Responses,
  reference,
  responses,
  tagOf,
} from './openapi-parts.js';
import { type JsonSchema, schemaName } from './openapi-schemas.js';

/** @param first the model whose function answers for the server */
export function serverPaths(first: ListedModel): Readonly<Record<string, PathItem>> {
  const get = (operationId: string, summary: string, schema: string): PathItem => ({
    get: {
      operationId,
      summary,
      tags: ['server'],
      responses: throughRouter(first, responses(json(reference(schema)), ['503'])),
    },
  });
  return {
    '/v2': get('server', 'What the server is', 'ServerMetadata'),
    '/v2/health/live': get('live', 'Whether the server runs', 'Live'),
    '/v2/health/ready': get('ready', 'Whether the server can answer', 'Ready'),
    '/v2/models': get('models', 'The models of the endpoint', 'ModelListing'),
    '/openapi.json': get('openapi', 'This document', 'Object'),
  };
}

export interface ModelPathOptions {
  /** Whether the document has schemas of this model's tensors; else its routes take and give tensors of any kind. */
  readonly isDescribed: boolean;
  /** Media types of `/predict`; empty where the model has no such route. */
  readonly accepts: readonly string[];
  /** Whether it runs the model once for a request there, which may become a job then. */
  readonly runsOnce: boolean;
}

export function modelPaths(model: ListedModel, options: ModelPathOptions): Readonly<Record<string, PathItem>> {
  const { name, version } = model;
  const { accepts, runsOnce } = options;
  const predictions = reference(schemaName(name, 'Predictions'));
  const isQueued = accepts.length > 0 && runsOnce;
  const paths = {
    ...v2Paths(model, `/v2/models/${name}`, '', options),
    ...jobPaths(model, v2Content(name, 'InferResponse', options), isQueued ? [predictions] : []),
    ...v2Paths(model, `/v2/models/${name}/versions/${version}`, `_version_${version}`, options),
    ...v1Paths(model, `/v1/models/${name}`, '', options),
    ...v1Paths(model, `/v1/models/${name}/versions/${version}`, `_version_${version}`, options),
  };
  if (accepts.length === 0) return paths;
  const parameters = isQueued ? queuedParameters(model) : [];
  const predict: Operation = {
    operationId: `predict_${name}`,
    summary: 'Predictions from a raw body',
    tags: [tagOf(name)],
    requestBody: {
      required: true,
      content: Object.fromEntries(accepts.map((type) => [type, { schema: bodySchema(type) }])),
    },
    ...(parameters.length === 0 ? {} : { parameters }),
    responses: (isQueued ? queuedThroughRouter : inferenceThroughRouter)(
      model,
      responses(json(predictions), ['400', '413', '415', '503']),
    ),
  };
  return { ...paths, [`/predict/${name}`]: { post: predict } };
}

/** Of a raw body: a text, a text in JSON, or bytes. */
function bodySchema(mediaType: string): JsonSchema {
  if (mediaType === 'text/plain') return { type: 'string' };
  if (mediaType !== 'application/json') return BYTES;
  return { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] };
}

/** Of tensors in V2: a document, with binary tensors behind it or without. */
function v2Content(
  name: string,
  kind: 'InferRequest' | 'InferResponse',
  { isDescribed }: ModelPathOptions,
): Readonly<Record<'application/json' | 'application/octet-stream', MediaType>> {
  const schema = reference(isDescribed ? schemaName(name, kind) : `Any${kind}`);
  return { 'application/json': { schema }, 'application/octet-stream': { schema: BYTES } };
}

function v2Paths(model: ListedModel, path: string, suffix: string, options: ModelPathOptions) {
  const { name } = model;
  const tags = [tagOf(name)];
  const through = (answers: Responses) => throughRouter(model, answers);
  const paths: Record<string, PathItem> = {
    [path]: {
      get: {
        operationId: `metadata_${name}${suffix}`,
        summary: "The model's signature, V2",
        tags,
        responses: through(responses(json(reference('ModelMetadata')), ['404', '503'])),
      },
    },
    [`${path}/ready`]: {
      get: {
        operationId: `ready_${name}${suffix}`,
        summary: 'Whether the model can answer',
        tags,
        responses: through(responses(json(reference('ModelReady')), ['404', '503'])),
      },
    },
    [`${path}/infer`]: {
      post: {
        operationId: `infer_${name}${suffix}`,
        summary: 'Tensors in, tensors out: V2, in JSON or with binary tensors behind the document',
        tags,
        parameters: [HEADER_LENGTH, ...queuedParameters(model)],
        requestBody: { required: true, content: v2Content(name, 'InferRequest', options) },
        responses: queuedThroughRouter(
          model,
          responses(v2Content(name, 'InferResponse', options), ['400', '404', '415', '422', '500', '503']),
        ),
      },
    },
  };
  return paths;
}

function v1Paths(model: ListedModel, path: string, suffix: string, { isDescribed }: ModelPathOptions) {
  const { name } = model;
  const tags = [tagOf(name)];
  const through = (answers: Responses) => throughRouter(model, answers);
  const request = isDescribed ? schemaName(name, 'PredictRequest') : 'AnyPredictRequest';
  const paths: Record<string, PathItem> = {
    [path]: {
      get: {
        operationId: `tensorflow_status_${name}${suffix}`,
        summary: "The model's status, TensorFlow Serving",
        tags,
        responses: through(responses(json(reference('TensorFlowModelStatus')), ['404', '503'])),
      },
    },
    [`${path}/metadata`]: {
      get: {
        operationId: `tensorflow_metadata_${name}${suffix}`,
        summary: "The model's signature, TensorFlow Serving",
        tags,
        responses: through(responses(json(reference('Object')), ['404', '503'])),
      },
    },
    [`${path}:predict`]: {
      post: {
        operationId: `tensorflow_predict_${name}${suffix}`,
        summary: 'Tensors in, tensors out: TensorFlow Serving, by rows or by columns',
        tags,
        requestBody: { required: true, content: json(reference(request)) },
        responses: inferenceThroughRouter(
          model,
          responses(json(reference('PredictResponse')), ['400', '404', '415', '422', '500', '503']),
        ),
      },
    },
  };
  return paths;
}
