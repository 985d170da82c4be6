/** Which code answers a request. */
import type { Manifest } from '../../lib/artifact/manifest.js';
import { RequestError } from '../../lib/errors.js';
import { type ListedModel, modelListing, modelMetadata, serverMetadata } from '../../lib/protocol/metadata.js';
import { openApiDocument } from '../../lib/protocol/openapi.js';
import { tensorFlowModelMetadata, tensorFlowModelStatus } from '../../lib/protocol/tensorflow-serving-metadata.js';
import { type HttpRequest, type HttpResponse, jsonResponse, MethodNotAllowedError } from '../http/http.js';
import { infer } from './infer.js';
import type { Model } from './model.js';
import { predict } from './predict.js';
import type { Stopwatch } from './stopwatch.js';
import { tensorFlowPredict } from './tensorflow-serving.js';

export interface Served {
  /** This software's version. */
  readonly version: string;
  /** Media types of bodies for the model's task. */
  readonly accepts: () => readonly string[];
  /** Throws while the artifact cannot be read. */
  readonly manifest: () => Manifest;
  /** Every model of the endpoint, as far as this function is told. */
  readonly models: () => readonly ListedModel[];
  /** What an answer may take. */
  readonly maxResponseBytes: number;
  /** Rejects while the model cannot be opened; each call tries again. */
  readonly model: () => Promise<Model>;
}

interface Route {
  readonly method: 'GET' | 'POST';
  /** The groups `model` and `version`, where there are some, must be those of the model that is served. */
  readonly path: RegExp;
  answer(request: HttpRequest, served: Served, stopwatch: Stopwatch): HttpResponse | Promise<HttpResponse>;
}

/** Of a model, and the same of one of its versions. */
function v2Model(rest: string): RegExp {
  return new RegExp(`^/v2/models/(?<model>[^/]+)(?:/versions/(?<version>[^/]+))?${rest}$`);
}

/** The same in TensorFlow Serving's paths, where a colon stands before the verb. */
function v1Model(rest: string): RegExp {
  return new RegExp(`^/v1/models/(?<model>[^/:]+)(?:/versions/(?<version>[^/:]+))?${rest}$`);
}

const ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/v2\/?$/, answer: (_, { version }) => jsonResponse(200, serverMetadata(version)) },
  { method: 'GET', path: /^\/v2\/health\/live$/, answer: () => jsonResponse(200, { live: true }) },
  {
    method: 'GET',
    path: /^\/v2\/health\/ready$/,
    answer: async (_, served) => {
      await served.model();
      return jsonResponse(200, { ready: true });
    },
  },
  {
    method: 'GET',
    path: /^\/v2\/models$/,
    answer: (_, served) => jsonResponse(200, modelListing(served.models())),
  },
  {
    method: 'GET',
    path: /^\/openapi\.json$/,
    answer: (_, served) => {
      const { version, accepts } = served;
      return jsonResponse(
        200,
        openApiDocument({ manifest: served.manifest(), models: served.models(), version, accepts: accepts() }),
      );
    },
  },
  {
    method: 'GET',
    path: v2Model(''),
    answer: (_, served) => jsonResponse(200, modelMetadata(served.manifest())),
  },
  {
    method: 'GET',
    path: v2Model('/ready'),
    answer: async (_, served) => {
      const { artifact } = await served.model();
      return jsonResponse(200, { name: artifact.manifest.name, ready: true });
    },
  },
  {
    method: 'POST',
    path: v2Model('/infer'),
    answer: async (request, served, stopwatch) => infer(request, await served.model(), { ...served, stopwatch }),
  },
  {
    method: 'GET',
    path: v1Model(''),
    answer: async (_, served) => {
      const { artifact } = await served.model();
      return jsonResponse(200, tensorFlowModelStatus(artifact.manifest));
    },
  },
  {
    method: 'GET',
    path: v1Model('/metadata'),
    answer: (_, served) => jsonResponse(200, tensorFlowModelMetadata(served.manifest())),
  },
  {
    method: 'POST',
    path: v1Model(':predict'),
    answer: async (request, served, stopwatch) =>
      tensorFlowPredict(request, await served.model(), { ...served, stopwatch }),
  },
  {
    method: 'POST',
    path: /^\/predict\/(?<model>[^/]+)$/,
    answer: async (request, served, stopwatch) => {
      const model = await served.model();
      if (model.pipeline === undefined) throw noTask(model.artifact.manifest.name);
      return predict(request, model, model.pipeline, stopwatch);
    },
  },
];

/**
 * @throws RequestError `ROUTE_UNKNOWN`, `MODEL_UNKNOWN`, `MODEL_VERSION_UNKNOWN` (404), `METHOD_NOT_ALLOWED` (405), and what the route throws
 */
export async function answer(request: HttpRequest, served: Served, stopwatch: Stopwatch): Promise<HttpResponse> {
  const matches = ROUTES.flatMap((route) => {
    const match = route.path.exec(request.path);
    return match === null ? [] : [{ route, named: match.groups ?? {} }];
  });
  const match = matches.find(({ route }) => route.method === request.method);
  if (match === undefined) throw matches.length === 0 ? routeUnknown(request) : methodNotAllowed(request, matches);
  if (match.named.model !== undefined) checkModel(match.named.model, match.named.version, served.manifest());
  return match.route.answer(request, served, stopwatch);
}

/** The path is percent-encoded, and names of models need no encoding. */
function checkModel(model: string, version: string | undefined, { name, modelVersion }: Manifest): void {
  if (model !== name) {
    throw new RequestError({
      status: 404,
      code: 'MODEL_UNKNOWN',
      message: `There is no model ${JSON.stringify(model.slice(0, 80))} here.`,
      advice: `This function serves the model ${name}.`,
    });
  }
  if (version === undefined || version === String(modelVersion)) return;
  throw new RequestError({
    status: 404,
    code: 'MODEL_VERSION_UNKNOWN',
    message: `The model ${name} has no version ${JSON.stringify(version.slice(0, 80))} here.`,
    advice: `Ask for version ${modelVersion}, or leave "/versions/…" out of the path.`,
  });
}

function noTask(name: string): RequestError {
  return new RequestError({
    status: 404,
    code: 'NO_TASK',
    message: `The model ${name} has no task beyond tensors.`,
    advice: `Send tensors to POST /v2/models/${name}/infer, or declare a task in the model's model.json.`,
  });
}

function routeUnknown({ path }: HttpRequest): RequestError {
  return new RequestError({
    status: 404,
    code: 'ROUTE_UNKNOWN',
    message: `There is nothing at ${JSON.stringify(path.slice(0, 120))}.`,
    advice:
      'Routes: /openapi.json, /v2, /v2/health/live, /v2/health/ready, /v2/models, /v2/models/{model}, …/ready, …/infer, …/versions/{version}, /v1/models/{model}, …/metadata, …:predict, /predict/{model}.',
  });
}

function methodNotAllowed({ method }: HttpRequest, matches: readonly { readonly route: Route }[]): RequestError {
  return new MethodNotAllowedError(method, [...new Set(matches.map(({ route }) => route.method))]);
}
