/** `GET /openapi.json`: what an endpoint answers, for generators of clients and for people. https://spec.openapis.org/oas/v3.1.0 */
import type { Manifest } from '../artifact/manifest.js';
import { isSequence } from '../artifact/task.js';
import type { ListedModel } from './metadata.js';
import { jobSchemas, routingHeaders } from './openapi-jobs.js';
import type { OpenApiHeader, PathItem } from './openapi-parts.js';
import { modelPaths, serverPaths } from './openapi-paths.js';
import { type JsonSchema, modelSchemas, sharedSchemas } from './openapi-schemas.js';

export interface OpenApiOptions {
  /** The model whose requests and answers are described tensor by tensor, and by its task. */
  readonly manifest: Pick<Manifest, 'name' | 'modelVersion' | 'signature' | 'task'>;
  /** Every model of the endpoint; of the others only the routes that every model has, for tensors of any kind. */
  readonly models: readonly ListedModel[];
  /** This software's version. */
  readonly version: string;
  /** Media types that the task takes. Default: none. */
  readonly accepts?: readonly string[];
}

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, PathItem>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    /** Those of a router; none without one. */
    readonly headers?: Readonly<Record<string, OpenApiHeader>>;
  };
}

/** The document; the same for the same options. */
export function openApiDocument({ manifest, models, version, accepts = [] }: OpenApiOptions): OpenApiDocument {
  const others = models.filter(({ name }) => name !== manifest.name);
  const routing = models.find(({ name }) => name === manifest.name)?.routing;
  const own: ListedModel = { name: manifest.name, version: manifest.modelVersion, routing };
  const routings = [own, ...others].flatMap((model) => model.routing ?? []);
  const hasJobs = routings.some((each) => each !== 'no-jobs');
  return {
    openapi: '3.1.0',
    info: {
      title: `Inference endpoint for ${[own, ...others].map(({ name }) => name).join(', ')}`,
      version,
      description:
        'Trained models behind HTTPS: Open Inference Protocol V2, the TensorFlow Serving REST API, and predictions from raw bodies.',
    },
    tags: [
      { name: 'server', description: 'The endpoint as a whole' },
      ...[own, ...others].map(({ name }) => ({ name: `model ${name}`, description: `The model ${name}` })),
    ],
    paths: {
      ...serverPaths(own),
      ...modelPaths(own, {
        isDescribed: true,
        accepts: manifest.task.type === 'tensor' ? [] : accepts,
        runsOnce: !isSequence(manifest.task),
      }),
      ...Object.assign(
        {},
        ...others.map((model) => modelPaths(model, { isDescribed: false, accepts: [], runsOnce: false })),
      ),
    },
    components: {
      schemas: { ...sharedSchemas(), ...(hasJobs ? jobSchemas() : {}), ...modelSchemas(manifest) },
      ...(routings.length === 0 ? {} : { headers: routingHeaders() }),
    },
  };
}
