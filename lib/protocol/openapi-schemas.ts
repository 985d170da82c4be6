/** The schemas of an OpenAPI document, in JSON Schema 2020-12: those that every endpoint has, and those of a model's signature and task. */
import type { DataType, Manifest, Task, TensorSignature } from '../artifact/manifest.js';
import { BIG_INTEGER_RANGES, INTEGER_RANGES, v2DataType } from './data-types.js';
import { SIGNATURE_NAME } from './tensorflow-serving-request.js';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** Names of components may hold what names of models may: letters, digits, - and _. */
export function schemaName(modelName: string, kind: string): string {
  return `${modelName}.${kind}`;
}

const TEXT: JsonSchema = { type: 'string' };
/** An element of BYTES; see `checkString`. */
const STRING_ELEMENT: JsonSchema = { type: 'string', pattern: '^[^\\u0000]*$' };
/** What is rounded to a type's largest finite number lies below these; beyond is infinity. */
const FLOAT_BOUNDS = { float16: 65520, float32: (2 - 2 ** -24) * 2 ** 127 } as const;
/** Matches no value: the property must be absent. */
const NOTHING: JsonSchema = { not: {} };
const INTEGER: JsonSchema = { type: 'integer' };

export function sharedSchemas(): Readonly<Record<string, JsonSchema>> {
  const tensorMetadata = object({ name: TEXT, datatype: TEXT, shape: array(INTEGER) });
  const tensor = object(
    { name: TEXT, datatype: TEXT, shape: array(INTEGER), data: { type: 'array' }, parameters: { type: 'object' } },
    ['name', 'datatype', 'shape'],
  );
  return {
    Error: object({ error: TEXT, code: { type: 'string', pattern: '^[A-Z][A-Z0-9_]+$' }, advice: TEXT }),
    Object: { type: 'object' },
    ServerMetadata: object({ name: TEXT, version: TEXT, extensions: array(TEXT) }),
    Live: object({ live: { type: 'boolean' } }),
    Ready: object({ ready: { type: 'boolean' } }),
    ModelReady: object({ name: TEXT, ready: { type: 'boolean' } }),
    ModelListing: object({ models: array(object({ name: TEXT, version: TEXT })) }),
    ModelMetadata: object({
      name: TEXT,
      versions: array(TEXT),
      platform: TEXT,
      inputs: array(tensorMetadata),
      outputs: array(tensorMetadata),
    }),
    TensorFlowModelStatus: object({
      model_version_status: array(object({ version: TEXT, state: TEXT, status: { type: 'object' } })),
    }),
    AnyInferRequest: inferRequest({ inputs: array(tensor) }, TEXT),
    AnyInferResponse: inferResponse(array(tensor)),
    AnyPredictRequest: predictRequest({}, {}),
    PredictResponse: { oneOf: [object({ predictions: { type: 'array' } }), object({ outputs: {} })] },
  };
}

export function modelSchemas({
  name,
  signature,
  task,
}: Pick<Manifest, 'name' | 'signature' | 'task'>): Readonly<Record<string, JsonSchema>> {
  const { inputs, outputs } = signature;
  const predictions = predictionSchema(task);
  const byName = (schema: (tensor: TensorSignature) => JsonSchema) => ({
    ...object(Object.fromEntries(inputs.map((tensor) => [tensor.name, schema(tensor)]))),
    additionalProperties: false,
  });
  const columns = byName((tensor) => nested(tensor.dataType, tensor.shape));
  const rows = byName((tensor) => nested(tensor.dataType, tensor.shape?.slice(1) ?? null));
  const [only] = inputs;
  const single = inputs.length === 1 && only !== undefined ? only : undefined;
  return {
    [schemaName(name, 'InferRequest')]: inferRequest(
      {
        // V2 takes the inputs in any order.
        inputs: {
          ...array(oneOf(inputs.map((tensor) => v2Tensor(tensor, 'input')))),
          minItems: inputs.length,
          maxItems: inputs.length,
        },
      },
      { type: 'string', enum: outputs.map((output) => output.name) },
    ),
    [schemaName(name, 'InferResponse')]: inferResponse(
      array(oneOf(outputs.map((tensor) => v2Tensor(tensor, 'output')))),
    ),
    [schemaName(name, 'PredictRequest')]: predictRequest(
      single === undefined ? rows : { anyOf: [nested(single.dataType, single.shape?.slice(1) ?? null), rows] },
      single === undefined ? columns : { anyOf: [nested(single.dataType, single.shape), columns] },
    ),
    ...(predictions === undefined
      ? {}
      : {
          [schemaName(name, 'Predictions')]: object({
            model_name: { const: name },
            model_version: TEXT,
            predictions: array(predictions),
          }),
        }),
  };
}

function inferRequest(inputs: { readonly inputs: JsonSchema }, outputName: JsonSchema): JsonSchema {
  const flags = (name: string): JsonSchema => ({ type: 'object', properties: { [name]: { type: 'boolean' } } });
  const output = object({ name: outputName, parameters: flags('binary_data') }, ['name']);
  const parameters = flags('binary_data_output');
  return object({ id: TEXT, parameters, ...inputs, outputs: array(output) }, ['inputs']);
}

function inferResponse(outputs: JsonSchema): JsonSchema {
  return object({ model_name: TEXT, model_version: TEXT, id: TEXT, outputs }, [
    'model_name',
    'model_version',
    'outputs',
  ]);
}

function predictRequest(instance: JsonSchema, inputs: JsonSchema): JsonSchema {
  const signature_name: JsonSchema = { type: 'string', enum: [SIGNATURE_NAME, ''] };
  return {
    oneOf: [
      object({ signature_name, instances: { ...array(instance), minItems: 1 }, inputs: NOTHING }, ['instances']),
      object({ signature_name, inputs, instances: NOTHING }, ['inputs']),
    ],
  };
}

/** A tensor of V2: its elements in the document, or their number of bytes where they follow it. */
function v2Tensor({ name, dataType, shape }: TensorSignature, kind: 'input' | 'output'): JsonSchema {
  const size = { type: 'integer', minimum: 0 };
  const sizes = (shape ?? []).map((dimension) => (typeof dimension === 'number' ? { const: dimension } : size));
  const properties = {
    name: { const: name },
    datatype: { const: v2DataType(dataType) },
    shape:
      shape === null
        ? array(size)
        : { type: 'array', prefixItems: sizes, minItems: sizes.length, maxItems: sizes.length },
    data: {
      description: `Elements of ${v2DataType(dataType)} in row-major order${kind === 'input' ? ', flat or nested as the shape is' : ''}.`,
      type: shape?.length === 0 ? ['array', ...elementTypes(dataType)] : 'array',
    },
    parameters: { type: 'object', properties: { binary_data_size: size } },
  };
  return object(properties, ['name', 'datatype', 'shape']);
}

function elementTypes(dataType: DataType): string[] {
  const { type, anyOf = [] } = element(dataType);
  return (typeof type === 'string' ? [{ type }] : (anyOf as JsonSchema[])).map((schema) => String(schema.type));
}

/** Nested arrays that have the shape; an unknown rank allows any. */
function nested(dataType: DataType, shape: TensorSignature['shape']): JsonSchema {
  if (shape === null) return {};
  return shape.reduceRight<JsonSchema>((items, size) => {
    const sized = typeof size === 'number' ? { minItems: size, maxItems: size } : {};
    return { type: 'array', items, ...sized };
  }, element(dataType));
}

function element(dataType: DataType): JsonSchema {
  switch (dataType) {
    case 'bool':
      // Some clients have no booleans of their own.
      return { anyOf: [{ type: 'boolean' }, { type: 'integer', minimum: 0, maximum: 1 }] };
    case 'string':
      return { anyOf: [STRING_ELEMENT, object({ b64: { type: 'string', contentEncoding: 'base64' } })] };
    case 'float16':
    case 'float32':
      return { type: 'number', exclusiveMinimum: -FLOAT_BOUNDS[dataType], exclusiveMaximum: FLOAT_BOUNDS[dataType] };
    case 'float64':
      return { type: 'number' };
    case 'int64':
    case 'uint64':
      // Their limits are no doubles, in which JSON Schema's readers hold them.
      return { type: 'integer', ...(BIG_INTEGER_RANGES[dataType][0] === 0n ? { minimum: 0 } : {}) };
    default: {
      const [minimum, maximum] = INTEGER_RANGES[dataType];
      return { type: 'integer', minimum, maximum };
    }
  }
}

function predictionSchema(task: Task): JsonSchema | undefined {
  const label = (labels: readonly string[]): JsonSchema => ({ type: 'string', enum: [...new Set(labels)] });
  const score: JsonSchema = { type: 'number' };
  switch (task.type) {
    case 'tensor':
      return undefined;
    case 'image-classification':
    case 'text-classification':
      return object({ label: label(task.labels), score });
    case 'voice-activity':
      return object({ label: label(['speech']), score, start: score, end: score });
    case 'object-detection': {
      const number: JsonSchema = { type: 'number' };
      const box = object({ xmin: number, ymin: number, xmax: number, ymax: number });
      const keypoints = array(object({ x: number, y: number }));
      return object({ label: label(task.labels), score, box, keypoints }, ['label', 'score', 'box']);
    }
  }
}

/** JSON Schema allows no empty `oneOf`; a model without inputs has an array of none. */
function oneOf(schemas: readonly JsonSchema[]): JsonSchema {
  const [only = {}] = schemas;
  return schemas.length > 1 ? { oneOf: schemas } : only;
}

function array(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

/** @param required default: every property */
export function object(
  properties: Readonly<Record<string, JsonSchema>>,
  required = Object.keys(properties),
): JsonSchema {
  return { type: 'object', properties, required };
}
