/** Options of operators: union BuiltinOptions of schema.fbs, the members that are read here with their numbers, fields and defaults. */
import type { FlatTable } from '../flatbuffers/flat-table.js';

type Field =
  | { readonly kind: 'int8' | 'int32' | 'float32'; readonly field: number; readonly fallback: number }
  | { readonly kind: 'bool'; readonly field: number }
  | { readonly kind: 'int32s'; readonly field: number };

const int8 = (field: number, fallback = 0) => ({ kind: 'int8', field, fallback }) as const;
const int32 = (field: number, fallback = 0) => ({ kind: 'int32', field, fallback }) as const;
const float32 = (field: number) => ({ kind: 'float32', field, fallback: 0 }) as const;
const bool = (field: number) => ({ kind: 'bool', field }) as const;
const int32s = (field: number) => ({ kind: 'int32s', field }) as const;

const activation = (field: number) => ({ activation: int8(field) });

/** Enums: `padding` 0 SAME, 1 VALID; `activation` 0 none, 1 RELU, 2 RELU_N1_TO_1, 3 RELU6, 4 TANH, 5 SIGN_BIT; `mode` 0 REFLECT, 1 SYMMETRIC. */
const OPTIONS = {
  Conv2DOptions: {
    number: 1,
    fields: {
      padding: int8(0),
      strideWidth: int32(1),
      strideHeight: int32(2),
      ...activation(3),
      dilationWidth: int32(4, 1),
      dilationHeight: int32(5, 1),
    },
  },
  DepthwiseConv2DOptions: {
    number: 2,
    fields: {
      padding: int8(0),
      strideWidth: int32(1),
      strideHeight: int32(2),
      depthMultiplier: int32(3),
      ...activation(4),
      dilationWidth: int32(5, 1),
      dilationHeight: int32(6, 1),
    },
  },
  Pool2DOptions: {
    number: 5,
    fields: {
      padding: int8(0),
      strideWidth: int32(1),
      strideHeight: int32(2),
      filterWidth: int32(3),
      filterHeight: int32(4),
      ...activation(5),
    },
  },
  FullyConnectedOptions: {
    number: 8,
    fields: { ...activation(0), weightsFormat: int8(1), keepDimensions: bool(2) },
  },
  SoftmaxOptions: { number: 9, fields: { beta: float32(0) } },
  ConcatenationOptions: { number: 10, fields: { axis: int32(0), ...activation(1) } },
  AddOptions: { number: 11, fields: activation(0) },
  L2NormOptions: { number: 12, fields: activation(0) },
  LocalResponseNormalizationOptions: {
    number: 13,
    fields: { radius: int32(0), bias: float32(1), alpha: float32(2), beta: float32(3) },
  },
  ResizeBilinearOptions: { number: 15, fields: { alignCorners: bool(2), halfPixelCenters: bool(3) } },
  ReshapeOptions: { number: 17, fields: { newShape: int32s(0) } },
  SpaceToDepthOptions: { number: 19, fields: { blockSize: int32(0) } },
  MulOptions: { number: 21, fields: activation(0) },
  GatherOptions: { number: 23, fields: { axis: int32(0), batchDimensions: int32(1) } },
  ReducerOptions: { number: 27, fields: { keepDimensions: bool(0) } },
  SubOptions: { number: 28, fields: activation(0) },
  DivOptions: { number: 29, fields: activation(0) },
  SqueezeOptions: { number: 30, fields: { dimensions: int32s(0) } },
  StridedSliceOptions: {
    number: 32,
    fields: {
      beginMask: int32(0),
      endMask: int32(1),
      ellipsisMask: int32(2),
      newAxisMask: int32(3),
      shrinkAxisMask: int32(4),
      offset: bool(5),
    },
  },
  SplitOptions: { number: 35, fields: { count: int32(0) } },
  CastOptions: { number: 37, fields: { from: int8(0), to: int8(1) } },
  ArgMaxOptions: { number: 40, fields: { outputType: int8(0) } },
  TransposeConvOptions: {
    number: 49,
    fields: { padding: int8(0), strideWidth: int32(1), strideHeight: int32(2), ...activation(3) },
  },
  ShapeOptions: { number: 55, fields: { outputType: int8(0) } },
  ArgMinOptions: { number: 57, fields: { outputType: int8(0) } },
  FakeQuantOptions: {
    number: 58,
    fields: { minimum: float32(0), maximum: float32(1), bits: int32(2) },
  },
  PackOptions: { number: 59, fields: { count: int32(0), axis: int32(1) } },
  OneHotOptions: { number: 61, fields: { axis: int32(0) } },
  UnpackOptions: { number: 64, fields: { count: int32(0), axis: int32(1) } },
  UnidirectionalSequenceLSTMOptions: {
    number: 71,
    fields: {
      ...activation(0),
      cellClip: float32(1),
      projectionClip: float32(2),
      timeMajor: bool(3),
      diagonalRecurrentTensors: bool(5),
    },
  },
  ResizeNearestNeighborOptions: { number: 74, fields: { alignCorners: bool(0), halfPixelCenters: bool(1) } },
  LeakyReluOptions: { number: 75, fields: { alpha: float32(0) } },
  MirrorPadOptions: { number: 77, fields: { mode: int8(0) } },
  SplitVOptions: { number: 79, fields: { count: int32(0) } },
  ReverseSequenceOptions: { number: 87, fields: { sequenceAxis: int32(0), batchAxis: int32(1) } },
  IfOptions: { number: 92, fields: { thenSubgraph: int32(0), elseSubgraph: int32(1) } },
  WhileOptions: { number: 93, fields: { conditionSubgraph: int32(0), bodySubgraph: int32(1) } },
  DepthToSpaceOptions: { number: 94, fields: { blockSize: int32(0) } },
  BatchMatMulOptions: { number: 101, fields: { adjointX: bool(0), adjointY: bool(1) } },
  CumsumOptions: { number: 102, fields: { exclusive: bool(0), reverse: bool(1) } },
  Conv3DOptions: {
    number: 106,
    fields: {
      padding: int8(0),
      strideDepth: int32(1),
      strideWidth: int32(2),
      strideHeight: int32(3),
      ...activation(4),
      dilationDepth: int32(5, 1),
      dilationWidth: int32(6, 1),
      dilationHeight: int32(7, 1),
    },
  },
  GeluOptions: { number: 116, fields: { approximate: bool(0) } },
} as const satisfies Record<string, { readonly number: number; readonly fields: Readonly<Record<string, Field>> }>;

export type OptionsName = keyof typeof OPTIONS;

type ValueOf<F extends Field> = F extends { readonly kind: 'bool' }
  ? boolean
  : F extends { readonly kind: 'int32s' }
    ? readonly number[]
    : number;

/** The fields of one member of the union. */
export type OptionsOf<Name extends OptionsName> = {
  readonly [Key in keyof (typeof OPTIONS)[Name]['fields']]: (typeof OPTIONS)[Name]['fields'][Key] extends Field
    ? ValueOf<(typeof OPTIONS)[Name]['fields'][Key]>
    : never;
};

/** A member of the union: known by name with its fields, or one that no conversion reads. */
export interface OperatorOptions {
  readonly name: OptionsName | undefined;
  readonly number: number;
  readonly fields: Readonly<Record<string, number | boolean | readonly number[]>>;
}

const BY_NUMBER = new Map<number, OptionsName>(
  (Object.keys(OPTIONS) as OptionsName[]).map((name) => [OPTIONS[name].number, name]),
);

/** @param number the union's tag @param table its member; where a writer left it out, all fields have their defaults */
export function decodeOptions(number: number, table: FlatTable | undefined): OperatorOptions | undefined {
  if (number === 0) return undefined;
  const name = BY_NUMBER.get(number);
  return { name, number, fields: name === undefined ? {} : decodeFields(name, table) };
}

function decodeFields(name: OptionsName, table: FlatTable | undefined): OperatorOptions['fields'] {
  const fields: Readonly<Record<string, Field>> = OPTIONS[name].fields;
  return Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, decodeField(field, key, table)]));
}

function decodeField(field: Field, name: string, table: FlatTable | undefined): number | boolean | readonly number[] {
  switch (field.kind) {
    case 'bool':
      return table?.bool(field.field) ?? false;
    case 'int32s':
      return table?.numbers(field.field, name, 'int32') ?? [];
    default:
      return table?.[field.kind](field.field, field.fallback) ?? field.fallback;
  }
}

/** An operator's options as those of one kind; undefined where they are of another. Without any, all fields have their defaults. */
export function optionsAs<Name extends OptionsName>(
  options: OperatorOptions | undefined,
  name: Name,
): OptionsOf<Name> | undefined {
  if (options === undefined) return decodeFields(name, undefined) as OptionsOf<Name>;
  return options.name === name ? (options.fields as OptionsOf<Name>) : undefined;
}
