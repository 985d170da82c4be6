/** What a router adds to an OpenAPI document: headers that say where an answer was computed, and jobs. */
import type { ListedModel } from './metadata.js';
import {
  failure,
  failures,
  HEADER_LENGTH,
  type HeaderReferences,
  json,
  type MediaType,
  type OpenApiHeader,
  type OpenApiResponse,
  type Parameter,
  type PathItem,
  type Responses,
  reference,
  tagOf,
} from './openapi-parts.js';
import { type JsonSchema, object } from './openapi-schemas.js';

/** As functions/router/jobs makes them. */
const JOB_ID: JsonSchema = { type: 'string', pattern: '^[0-9a-f]{40}$' };
/** 1 GiB: what SageMaker takes of a queue's request. */
const MAX_UPLOAD_BYTES = 1024 ** 3;

const IDEMPOTENCY_KEY: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'Names the request: sent once more with the same key, it is the same job with the same result.',
  schema: { type: 'string', pattern: '^[!-~]([ -~]{0,253}[!-~])?$' },
};

export function routingHeaders(): Readonly<Record<string, OpenApiHeader>> {
  return {
    ComputedBy: {
      description: 'What computed the answer; queue: what will.',
      schema: { type: 'string', enum: ['lambda', 'sagemaker', 'queue'] },
    },
    Reason: {
      description: 'Why it was computed there, or nowhere; primary: nothing spoke against Lambda.',
      schema: { type: 'string', pattern: '^[a-z-]+$' },
    },
    RetryAfter: {
      description: 'Seconds until it is worth while to ask again.',
      schema: { type: 'integer', minimum: 0 },
    },
    Location: {
      description: 'Where to go on: below this server, or an address of its own.',
      schema: { type: 'string' },
    },
  };
}

const KEY_REUSED = failure('Another request had the same Idempotency-Key');
const COMPUTED = headers({ 'x-cdk-onnx-computed-by': 'ComputedBy', 'x-cdk-onnx-reason': 'Reason' });
const LOCATION = headers({ Location: 'Location' });
const RETRY_AFTER = headers({ 'Retry-After': 'RetryAfter' });
const NOWHERE = headers({ 'x-cdk-onnx-reason': 'Reason', 'Retry-After': 'RetryAfter' });

/** What a route of a model answers, with what a router in front of it adds. */
export function throughRouter({ routing }: ListedModel, answers: Responses): Responses {
  const { 503: unavailable } = answers;
  if (routing === undefined || unavailable === undefined) return answers;
  const description = 'Nothing could answer, or the model could not be opened';
  return { ...answers, 503: { ...unavailable, description, headers: NOWHERE } };
}

/** The same of an inference. */
export function inferenceThroughRouter(model: ListedModel, answers: Responses): Responses {
  if (model.routing === undefined) return answers;
  const computed = Object.entries({ ...answers, ...failures(['413']) }).map(
    ([status, answer]): [string, OpenApiResponse] => [status, { ...answer, headers: COMPUTED }],
  );
  return throughRouter(model, Object.fromEntries(computed));
}

/** The same of an inference that may become a job. */
export function queuedThroughRouter(model: ListedModel, answers: Responses): Responses {
  if (model.routing !== 'jobs') return inferenceThroughRouter(model, answers);
  return { 422: KEY_REUSED, ...inferenceThroughRouter(model, answers), 202: accepted(model) };
}

/** What makes one job of requests that are sent twice. */
export function queuedParameters({ routing }: ListedModel): readonly Parameter[] {
  return routing === 'jobs' ? [IDEMPOTENCY_KEY] : [];
}

/**
 * @param results predictions in V2, by media type
 * @param further those of the model's task
 */
export function jobPaths(
  model: ListedModel,
  results: Readonly<Record<'application/json' | 'application/octet-stream', MediaType>>,
  further: readonly JsonSchema[],
): Readonly<Record<string, PathItem>> {
  const { name, routing } = model;
  if (routing === undefined || routing === 'no-jobs') return {};
  const tags = [tagOf(name)];
  const path = `/v2/models/${name}/jobs`;
  const id: Parameter = { name: 'id', in: 'path', required: true, description: "The job's name.", schema: JOB_ID };
  const unavailable = { 503: { ...failure('S3 or SageMaker could not be asked'), headers: RETRY_AFTER } };
  const gone = { 404: failure('There is no such job'), 410: failure('The job has expired') };
  return {
    [path]: {
      post: {
        operationId: `announce_job_${name}`,
        summary: 'Asks where to PUT a request of V2 that is too large for this server',
        tags,
        parameters: [HEADER_LENGTH, IDEMPOTENCY_KEY],
        requestBody: { required: true, content: json(reference('UploadAnnouncement')) },
        responses: {
          201: {
            description: 'Where to PUT the request, with which headers; a POST to the Location starts the job then',
            headers: LOCATION,
            content: json(reference('AnnouncedJob')),
            links: { ...linkTo(`start_job_${name}`), ...linkTo(`job_${name}`) },
          },
          202: accepted(model),
          ...failures(['400']),
          422: KEY_REUSED,
          ...unavailable,
        },
      },
    },
    [`${path}/{id}`]: {
      post: {
        operationId: `start_job_${name}`,
        summary: 'Starts a job whose request has been put where it should be',
        tags,
        parameters: [id],
        responses: {
          202: accepted(model),
          ...gone,
          409: failure('The request has not been put there'),
          ...unavailable,
        },
      },
      get: {
        operationId: `job_${name}`,
        summary: 'What has become of a job: the prediction as soon as it is there',
        tags,
        parameters: [id],
        responses: {
          200: {
            description: 'The prediction, or where the job stands',
            headers: { ...COMPUTED, ...RETRY_AFTER },
            content: {
              ...results,
              ...json({
                anyOf: [reference('Job'), reference('FailedJob'), results['application/json'].schema, ...further],
              }),
            },
          },
          303: {
            description: 'The prediction is too large for this server, and is at the Location',
            headers: { ...COMPUTED, ...LOCATION },
            content: json(reference('FinishedJob')),
          },
          ...gone,
          ...unavailable,
        },
      },
    },
  };
}

export function jobSchemas(): Readonly<Record<string, JsonSchema>> {
  const text: JsonSchema = { type: 'string' };
  const size: JsonSchema = { type: 'integer', minimum: 0 };
  const job = (statuses: readonly string[], further: Readonly<Record<string, JsonSchema>> = {}) =>
    object(
      {
        id: JOB_ID,
        status: { type: 'string', enum: statuses },
        location: text,
        expires: { type: 'string', format: 'date-time' },
        ...further,
      },
      ['id', 'status', 'location', ...Object.keys(further)],
    );
  const address = { url: text, bytes: size, expiresInSeconds: size };
  return {
    UploadAnnouncement: {
      ...object({ bytes: { type: 'integer', minimum: 1, maximum: MAX_UPLOAD_BYTES } }),
      additionalProperties: false,
    },
    Job: job(['awaiting-upload', 'queued']),
    AnnouncedJob: job(['awaiting-upload'], {
      upload: object({
        method: { const: 'PUT' },
        ...address,
        headers: { type: 'object', additionalProperties: text },
      }),
    }),
    FailedJob: job(['failed'], { error: text, code: text, advice: text }),
    FinishedJob: job(['succeeded'], { result: object({ ...address, contentType: text }) }),
  };
}

function accepted({ name }: ListedModel): OpenApiResponse {
  return {
    description: 'A job: GET the Location until its answer is the prediction',
    headers: { ...COMPUTED, ...LOCATION, ...RETRY_AFTER },
    content: json(reference('Job')),
    links: linkTo(`job_${name}`),
  };
}

function linkTo(operationId: string): NonNullable<OpenApiResponse['links']> {
  return { [operationId]: { operationId, parameters: { id: '$response.body#/id' } } };
}

/** By the header's name: the component that describes it. */
function headers(components: Readonly<Record<string, string>>): HeaderReferences {
  return Object.fromEntries(
    Object.entries(components).map(([name, component]) => [name, { $ref: `#/components/headers/${component}` }]),
  );
}
