/** What a scan of protobuf bytes needs to know of a message type, taken from its descriptor. */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { WireType } from '@bufbuild/protobuf/wire';

export interface FieldPlan {
  readonly name: string;
  readonly repeated: boolean;
  readonly wireType: WireType;
  /** Scalars of repeated fields may come packed into one payload. */
  readonly packable: boolean;
  readonly content: 'message' | 'string' | 'bytes' | 'number' | 'bigint';
  readonly child: MessagePlan | undefined;
}

export interface MessagePlan {
  readonly name: string;
  readonly fields: ReadonlyMap<number, FieldPlan>;
}

const plans = new Map<DescMessage, MessagePlan>();

/** The plan of a message type, made once. */
export function planOf(schema: DescMessage): MessagePlan {
  const known = plans.get(schema);
  if (known !== undefined) return known;
  const fields = new Map<number, FieldPlan>();
  const plan = { name: schema.name, fields };
  // Before its fields: messages contain themselves.
  plans.set(schema, plan);
  for (const field of schema.fields) fields.set(field.number, fieldPlan(field));
  return plan;
}

function fieldPlan(field: DescField): FieldPlan {
  const repeated = field.fieldKind === 'list';
  const child = field.message === undefined ? undefined : planOf(field.message);
  const { wireType, content } = child === undefined ? scalarPlan(field.scalar) : DELIMITED_MESSAGE;
  return {
    name: field.name,
    repeated,
    wireType,
    packable: repeated && wireType !== WireType.LengthDelimited,
    content,
    child,
  };
}

const DELIMITED_MESSAGE = { wireType: WireType.LengthDelimited, content: 'message' } as const;

/** Enums have no scalar and are varints. */
function scalarPlan(scalar: ScalarType | undefined): Pick<FieldPlan, 'wireType' | 'content'> {
  switch (scalar) {
    case ScalarType.STRING:
      return { wireType: WireType.LengthDelimited, content: 'string' };
    case ScalarType.BYTES:
      return { wireType: WireType.LengthDelimited, content: 'bytes' };
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return { wireType: WireType.Bit32, content: 'number' };
    case ScalarType.DOUBLE:
      return { wireType: WireType.Bit64, content: 'number' };
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return { wireType: WireType.Bit64, content: 'bigint' };
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
      return { wireType: WireType.Varint, content: 'bigint' };
    default:
      return { wireType: WireType.Varint, content: 'number' };
  }
}
