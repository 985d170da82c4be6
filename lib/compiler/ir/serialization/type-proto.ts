/** TypeProto to ValueType and back. */
import { create } from '@bufbuild/protobuf';
import {
  type TensorShapeProto_Dimension,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  type TypeProto,
  TypeProto_TensorSchema,
  TypeProtoSchema,
} from 'onnx-buf';
import { ModelFormatError } from '../../../errors.js';
import { elementTypeNumber, elementTypeOf } from '../element-type.js';
import type { Dimension, ValueType } from '../value.js';

/**
 * The type that a message declares, or undefined where it says nothing (no type, or a tensor of element type 0).
 * Negative dimensions, which some exporters write for unknown ones, are read as unknown.
 * @throws ModelFormatError UNKNOWN_ELEMENT_TYPE, VALUE_DIMENSION; `place` names the value.
 */
export function typeFromProto(proto: TypeProto | undefined, place: string): ValueType | undefined {
  if (proto === undefined || proto.value.case === undefined) return undefined;
  if (proto.value.case !== 'tensorType') return { kind: 'opaque', proto };
  const { elemType, shape } = proto.value.value;
  if (elemType === 0) return undefined;
  const elementType = elementTypeOf(elemType);
  if (elementType === undefined) {
    throw new ModelFormatError({
      code: 'UNKNOWN_ELEMENT_TYPE',
      message: `The type of ${place} has the element type ${elemType}, which ONNX does not define.`,
      advice: 'The file is damaged, or newer than this version of cdk-onnx: export it with an older ONNX version.',
    });
  }
  return { kind: 'tensor', elementType, shape: shape?.dim.map((dim) => dimensionFromProto(dim, place)) };
}

function dimensionFromProto(dim: TensorShapeProto_Dimension, place: string): Dimension {
  if (dim.value.case === 'dimParam') return dim.value.value === '' ? undefined : dim.value.value;
  if (dim.value.case === undefined || dim.value.value < 0n) return undefined;
  const size = Number(dim.value.value);
  if (!Number.isSafeInteger(size)) {
    throw new ModelFormatError({
      code: 'VALUE_DIMENSION',
      message: `The type of ${place} has a dimension of ${dim.value.value}.`,
      advice: 'No tensor can be that large: the file is damaged. Export the model again.',
    });
  }
  return size;
}

/** The message for a type; what `origin` says beyond it (denotations) is kept where the dimensions did not change. */
export function typeToProto(type: ValueType, origin?: TypeProto): TypeProto {
  if (type.kind === 'opaque') return type.proto;
  const before = origin?.value.case === 'tensorType' ? (origin.value.value.shape?.dim ?? []) : [];
  const tensorType = create(TypeProto_TensorSchema, { elemType: elementTypeNumber(type.elementType) });
  if (type.shape !== undefined) {
    tensorType.shape = create(TensorShapeProtoSchema, {
      dim: type.shape.map((dim, axis) => dimensionToProto(dim, before[axis])),
    });
  }
  const proto = create(TypeProtoSchema, { value: { case: 'tensorType', value: tensorType } });
  if (origin !== undefined && origin.denotation !== '') proto.denotation = origin.denotation;
  return proto;
}

function dimensionToProto(dim: Dimension, origin: TensorShapeProto_Dimension | undefined): TensorShapeProto_Dimension {
  const proto = create(TensorShapeProto_DimensionSchema);
  if (typeof dim === 'number') proto.value = { case: 'dimValue', value: BigInt(dim) };
  else if (dim !== undefined) proto.value = { case: 'dimParam', value: dim };
  if (origin === undefined) return proto;
  if (origin.value.case === proto.value.case && origin.value.value === proto.value.value) return origin;
  if (origin.denotation !== '') proto.denotation = origin.denotation;
  return proto;
}

/** Whether two types say the same. */
export function sameType(a: ValueType | undefined, b: ValueType | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.kind === 'opaque' || b.kind === 'opaque')
    return a.kind === b.kind && 'proto' in a && 'proto' in b && a.proto === b.proto;
  if (a.elementType !== b.elementType || a.shape?.length !== b.shape?.length) return false;
  return a.shape === undefined || a.shape.every((dim, axis) => dim === b.shape?.[axis]);
}
