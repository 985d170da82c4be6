import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Manifest } from '../../lib/artifact/manifest.js';
import { jobRoutes, modelRoutes, SERVER_ROUTES } from '../../lib/constructs/routes.js';
import { type ListedModel, ROUTINGS } from '../../lib/protocol/metadata.js';
import { type OpenApiDocument, openApiDocument } from '../../lib/protocol/openapi.js';

const MANIFEST = {
  name: 'faces',
  modelVersion: 3,
  signature: {
    inputs: [{ name: 'input:0', dataType: 'float32', shape: ['N', 2, 3] }],
    outputs: [
      { name: 'boxes', dataType: 'float32', shape: null },
      { name: 'ids', dataType: 'int64', shape: [] },
    ],
  },
  task: {
    type: 'image-classification',
    image: {} as never,
    output: 'boxes',
    labels: ['face', 'face', 'no face'],
  },
} as const satisfies Pick<Manifest, 'name' | 'modelVersion' | 'signature' | 'task'>;
const MODELS: readonly ListedModel[] = [
  { name: 'faces', version: 3 },
  { name: 'text-2', version: 1 },
];
const documentOf = (models: typeof MODELS) =>
  openApiDocument({ manifest: MANIFEST, models, version: '1.2.3', accepts: ['image/png'] });
const document = documentOf(MODELS);
/** Of routers of each kind in front of either model. */
const ROUTED = ROUTINGS.flatMap((routing) =>
  MODELS.map(({ name }) => ({
    routing,
    name,
    document: documentOf(MODELS.map((model) => (model.name === name ? { ...model, routing } : model))),
  })),
);
const EVERY = [document, ...ROUTED.map((routed) => routed.document)];

const mediaTypes = z.record(z.string(), z.strictObject({ schema: z.looseObject({}) }));
/** The parts of the Open API Specification 3.1 that such a document uses, and no other member. */
const structure = z.strictObject({
  openapi: z.literal('3.1.0'),
  info: z.strictObject({ title: z.string().min(1), version: z.string().min(1), description: z.string() }),
  tags: z.array(z.strictObject({ name: z.string(), description: z.string() })),
  paths: z.record(
    z.string().startsWith('/'),
    z.partialRecord(
      z.enum(['get', 'post']),
      z.strictObject({
        operationId: z.string().regex(/^[\w-]+$/),
        summary: z.string().min(1),
        tags: z.array(z.string()).min(1),
        parameters: z
          .array(
            z.strictObject({
              name: z.string(),
              in: z.enum(['path', 'header']),
              required: z.boolean(),
              description: z.string(),
              schema: z.looseObject({}),
            }),
          )
          .optional(),
        requestBody: z.strictObject({ required: z.literal(true), content: mediaTypes }).optional(),
        responses: z.record(
          z.string().regex(/^[2-5]\d\d$/),
          z.strictObject({
            description: z.string().min(1),
            headers: z.record(z.string(), z.strictObject({ $ref: z.string() })).optional(),
            content: mediaTypes,
            links: z
              .record(
                z.string().regex(/^[\w.-]+$/),
                z.strictObject({ operationId: z.string(), parameters: z.record(z.string(), z.string()) }),
              )
              .optional(),
          }),
        ),
      }),
    ),
  ),
  components: z.strictObject({
    schemas: z.record(z.string().regex(/^[\w.-]+$/), z.looseObject({})),
    headers: z
      .record(z.string(), z.strictObject({ description: z.string().min(1), schema: z.looseObject({}) }))
      .optional(),
  }),
});

function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => (key === '$ref' ? [String(member)] : references(member)));
}

/** Reads an instance by a schema of the document, as a client that was generated from it would. */
function accepts(name: string, value: unknown): boolean {
  const resolved = JSON.parse(JSON.stringify(document.components.schemas[name]));
  return z.fromJSONSchema(resolved).safeParse(value).success;
}

describe('openapi.json', () => {
  it('has the structure that the specification asks for', () => {
    for (const each of EVERY) {
      expect(structure.safeParse(JSON.parse(JSON.stringify(each))).error).toBeUndefined();
    }
  });

  it.each(EVERY)('refers only to what it has, names each operation once, and tags with known tags: %#', (document) => {
    for (const reference of references(document)) expect(document).toHaveProperty(reference.slice(2).split('/'));
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const tags = document.tags.map(({ name }) => name);
    for (const operation of operations) {
      expect(tags).toEqual(expect.arrayContaining([...operation.tags]));
      const links = Object.values(operation.responses).flatMap((response) => Object.values(response.links ?? {}));
      expect(ids).toEqual(expect.arrayContaining(links.map(({ operationId }) => operationId)));
    }
  });

  it.each([{ routing: undefined, name: 'faces', document }, ...ROUTED])(
    'describes every route that the endpoint has, and no other: $name, $routing',
    ({ routing, name, document }) => {
      const described = (of: OpenApiDocument) =>
        Object.entries(of.paths).flatMap(([path, item]) =>
          Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
        );
      const routes = [
        ...SERVER_ROUTES,
        ...modelRoutes('faces', 'image-classification'),
        ...modelRoutes('text-2', 'tensor'),
        ...(routing === 'uploads' || routing === 'jobs' ? jobRoutes(name) : []),
      ].map(({ method, path }) => {
        const version = path.includes('faces') ? '3' : '1';
        // The only parameter's route holds `<version>:predict` where it is posted to.
        const verb = method === 'POST' && path.endsWith('{version}') ? ':predict' : '';
        return `${method} ${path.replace('{version}', version)}${verb}`;
      });
      expect(described(document).sort()).toEqual(routes.sort());
    },
  );

  it('has schemas that take what the function takes, and refuse what it refuses', () => {
    const row = [
      [1, 2, 3],
      [4, 5, 6],
    ];
    const input = { name: 'input:0', datatype: 'FP32', shape: [1, 2, 3], data: row.flat() };
    expect(accepts('faces.InferRequest', { inputs: [input] })).toBe(true);
    expect(accepts('faces.InferRequest', { inputs: [{ ...input, datatype: 'FP64' }] })).toBe(false);
    expect(accepts('faces.InferRequest', { inputs: [{ ...input, name: 'x' }] })).toBe(false);
    expect(accepts('faces.InferRequest', { inputs: [input], outputs: [{ name: 'x' }] })).toBe(false);
    expect(accepts('faces.InferRequest', {})).toBe(false);
    expect(accepts('faces.PredictRequest', { instances: [row, row] })).toBe(true);
    expect(accepts('faces.PredictRequest', { instances: [{ 'input:0': row }] })).toBe(true);
    expect(accepts('faces.PredictRequest', { inputs: [row] })).toBe(true);
    expect(accepts('faces.PredictRequest', { instances: [[[1, 2]]] })).toBe(false);
    expect(accepts('faces.PredictRequest', { inputs: [row], instances: [row], signature_name: 'x' })).toBe(false);
    expect(accepts('faces.PredictRequest', { inputs: [row], instances: null })).toBe(false);
    expect(accepts('faces.PredictRequest', { inputs: { 'input:0': [row], other: 1 } })).toBe(false);
    const first = (element: number) => ({ inputs: [[[element, 2, 3], row[1]]] });
    expect(accepts('faces.PredictRequest', first(3.4028235e38))).toBe(true);
    expect(accepts('faces.PredictRequest', first(3.5e38))).toBe(false);
    const predictions = { model_name: 'faces', model_version: '3', predictions: [{ label: 'face', score: 1 }] };
    expect(accepts('faces.Predictions', predictions)).toBe(true);
    expect(accepts('faces.Predictions', { ...predictions, predictions: [{ label: 'dog', score: 1 }] })).toBe(false);
  });

  it('says of a router what it adds, and of a model without one nothing of it', () => {
    expect(JSON.stringify(document)).not.toMatch(/x-cdk-onnx|Idempotency|\/jobs|Job/);
    for (const { routing, name, document } of ROUTED) {
      const infer = document.paths[`/v2/models/${name}/infer`]?.post;
      const { 200: answer, 202: job, 503: failure } = infer?.responses ?? {};
      expect(Object.keys(answer?.headers ?? {})).toEqual(['x-cdk-onnx-computed-by', 'x-cdk-onnx-reason']);
      expect(Object.keys(failure?.headers ?? {})).toEqual(['x-cdk-onnx-reason', 'Retry-After']);
      const names = infer?.parameters?.map((parameter) => parameter.name);
      const whereQueued = [job !== undefined, names?.includes('Idempotency-Key')];
      expect(whereQueued).toEqual([routing === 'jobs', routing === 'jobs']);
      expect(document.paths['/v2/models']?.get?.responses[503]?.headers !== undefined).toBe(name === 'faces');
    }
  });

  it('of a model without inputs has the structure too', () => {
    const manifest = { ...MANIFEST, signature: { inputs: [], outputs: [] } };
    const bare = openApiDocument({ manifest, models: [], version: '1' });
    expect(structure.safeParse(JSON.parse(JSON.stringify(bare))).error).toBeUndefined();
    expect(JSON.stringify(bare)).not.toMatch(/"(oneOf|anyOf)":\[\]/);
  });

  it('has no /predict for a task of tensors', () => {
    const { paths } = openApiDocument({
      manifest: { ...MANIFEST, task: { type: 'tensor' } },
      models: [],
      version: '1',
    });
    expect(Object.keys(paths).filter((path) => path.startsWith('/predict'))).toEqual([]);
  });
});
