/** The paths of an OpenAPI document: which route takes what, and answers what. */
import type { ListedModel } from './metadata.js';
import { type JsonSchema, schemaName } from './openapi-schemas.js';

export interface MediaType {
  readonly schema: JsonSchema;
}

export interface OpenApiResponse {
  readonly description: string;
  readonly content: Readonly<Record<string, MediaType>>;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: true; readonly content: Readonly<Record<string, MediaType>> };
  readonly responses: Readonly<Record<string, OpenApiResponse>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'header';
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
}

export type PathItem = Readonly<Partial<Record<'get' | 'post', Operation>>>;

/** Bytes of any kind; in OpenAPI 3.1 a schema without a type. */
const BYTES: JsonSchema = {};
const HEADER_LENGTH: Parameter = {
  name: 'Inference-Header-Content-Length',
  in: 'header',
  required: false,
  description: 'Bytes of the JSON document, where binary tensors follow it.',
  schema: { type: 'integer', minimum: 0 },
};

export function serverPaths(): Readonly<Record<string, PathItem>> {
  const get = (operationId: string, summary: string, schema: string): PathItem => ({
    get: { operationId, summary, tags: ['server'], responses: responses(json(reference(schema)), ['503']) },
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
}

export function modelPaths(model: ListedModel, options: ModelPathOptions): Readonly<Record<string, PathItem>> {
  const { name, version } = model;
  const { accepts } = options;
  const paths = {
    ...v2Paths(model, `/v2/models/${name}`, '', options),
    ...v2Paths(model, `/v2/models/${name}/versions/${version}`, `_version_${version}`, options),
    ...v1Paths(model, `/v1/models/${name}`, '', options),
    ...v1Paths(model, `/v1/models/${name}/versions/${version}`, `_version_${version}`, options),
  };
  if (accepts.length === 0) return paths;
  const predict: Operation = {
    operationId: `predict_${name}`,
    summary: 'Predictions from a raw body',
    tags: [tagOf(name)],
    requestBody: {
      required: true,
      content: Object.fromEntries(accepts.map((type) => [type, { schema: bodySchema(type) }])),
    },
    responses: responses(json(reference(schemaName(name, 'Predictions'))), ['400', '413', '415', '503']),
  };
  return { ...paths, [`/predict/${name}`]: { post: predict } };
}

/** Of a raw body: a text, a text in JSON, or bytes. */
function bodySchema(mediaType: string): JsonSchema {
  if (mediaType === 'text/plain') return { type: 'string' };
  if (mediaType !== 'application/json') return BYTES;
  return { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] };
}

function v2Paths({ name }: ListedModel, path: string, suffix: string, { isDescribed }: ModelPathOptions) {
  const tags = [tagOf(name)];
  const schema = (kind: string) => reference(isDescribed ? schemaName(name, kind) : `Any${kind}`);
  const binary = (kind: string) => ({ ...json(schema(kind)), 'application/octet-stream': { schema: BYTES } });
  const paths: Record<string, PathItem> = {
    [path]: {
      get: {
        operationId: `metadata_${name}${suffix}`,
        summary: "The model's signature, V2",
        tags,
        responses: responses(json(reference('ModelMetadata')), ['404', '503']),
      },
    },
    [`${path}/ready`]: {
      get: {
        operationId: `ready_${name}${suffix}`,
        summary: 'Whether the model can answer',
        tags,
        responses: responses(json(reference('ModelReady')), ['404', '503']),
      },
    },
    [`${path}/infer`]: {
      post: {
        operationId: `infer_${name}${suffix}`,
        summary: 'Tensors in, tensors out: V2, in JSON or with binary tensors behind the document',
        tags,
        parameters: [HEADER_LENGTH],
        requestBody: { required: true, content: binary('InferRequest') },
        responses: responses(binary('InferResponse'), ['400', '404', '415', '422', '500', '503']),
      },
    },
  };
  return paths;
}

function v1Paths({ name }: ListedModel, path: string, suffix: string, { isDescribed }: ModelPathOptions) {
  const tags = [tagOf(name)];
  const request = isDescribed ? schemaName(name, 'PredictRequest') : 'AnyPredictRequest';
  const paths: Record<string, PathItem> = {
    [path]: {
      get: {
        operationId: `tensorflow_status_${name}${suffix}`,
        summary: "The model's status, TensorFlow Serving",
        tags,
        responses: responses(json(reference('TensorFlowModelStatus')), ['404', '503']),
      },
    },
    [`${path}/metadata`]: {
      get: {
        operationId: `tensorflow_metadata_${name}${suffix}`,
        summary: "The model's signature, TensorFlow Serving",
        tags,
        responses: responses(json(reference('Object')), ['404', '503']),
      },
    },
    [`${path}:predict`]: {
      post: {
        operationId: `tensorflow_predict_${name}${suffix}`,
        summary: 'Tensors in, tensors out: TensorFlow Serving, by rows or by columns',
        tags,
        requestBody: { required: true, content: json(reference(request)) },
        responses: responses(json(reference('PredictResponse')), ['400', '404', '415', '422', '500', '503']),
      },
    },
  };
  return paths;
}

function tagOf(modelName: string): string {
  return `model ${modelName}`;
}

function json(schema: JsonSchema): Readonly<Record<string, MediaType>> {
  return { 'application/json': { schema } };
}

function reference(schema: string): JsonSchema {
  return { $ref: `#/components/schemas/${schema}` };
}

const ERRORS: Readonly<Record<string, string>> = {
  '400': 'The request is wrong',
  '404': 'There is no such model, version or route',
  '413': 'The body is too large',
  '415': 'The body has a type or an encoding that is not taken',
  '422': 'The answer cannot be written in the form that was asked for',
  '500': 'The function failed, or had not enough memory',
  '503': 'The model could not be opened',
};

function responses(
  content: Readonly<Record<string, MediaType>>,
  errors: readonly string[],
): Readonly<Record<string, OpenApiResponse>> {
  const failures = errors.map((status): [string, OpenApiResponse] => [
    status,
    { description: ERRORS[status] ?? status, content: json(reference('Error')) },
  ]);
  return Object.fromEntries([['200', { description: 'The answer', content }], ...failures]);
}
