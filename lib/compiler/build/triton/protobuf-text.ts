/** Messages in protobuf's text format, as https://protobuf.dev/reference/protobuf/textformat-spec/ has it. */

/** The name of an enum's value, which is written without quotes. */
export interface TextName {
  readonly enumValue: string;
}

export type TextScalar = string | number | boolean | TextName;
/** Fields in the order in which they are written; a list is a repeated field, a map is a list of `{ key, value }`. */
export interface TextMessage {
  readonly [field: string]: TextScalar | readonly TextScalar[] | TextMessage | readonly TextMessage[];
}

export function textName(enumValue: string): TextName {
  return { enumValue };
}

export function printMessage(message: TextMessage): string {
  return lines(message, '').join('');
}

function lines(message: TextMessage, indent: string): string[] {
  return Object.entries(message).flatMap(([field, value]) => {
    if (!isList(value))
      return isMessage(value) ? block(field, value, indent) : [`${indent}${field}: ${scalar(value)}\n`];
    const [first] = value;
    if (first === undefined || !isMessage(first)) {
      return [`${indent}${field}: [${(value as readonly TextScalar[]).map(scalar).join(', ')}]\n`];
    }
    return (value as readonly TextMessage[]).flatMap((entry) => block(field, entry, indent));
  });
}

function block(field: string, message: TextMessage, indent: string): string[] {
  return [`${indent}${field} {\n`, ...lines(message, `${indent}  `), `${indent}}\n`];
}

function isList(value: TextMessage[string]): value is readonly TextScalar[] | readonly TextMessage[] {
  return Array.isArray(value);
}

function isMessage(value: TextScalar | TextMessage): value is TextMessage {
  return typeof value === 'object' && !isName(value);
}

function isName(value: TextScalar | TextMessage): value is TextName {
  return typeof value === 'object' && typeof value.enumValue === 'string';
}

function scalar(value: TextScalar): string {
  if (typeof value === 'string') return quoted(value);
  return typeof value === 'object' ? value.enumValue : String(value);
}

/** Every byte that is not plain ASCII as an octal escape: a model may name its tensors anything. */
function quoted(text: string): string {
  const bytes = [...Buffer.from(text, 'utf8')].map((byte) => {
    const character = String.fromCharCode(byte);
    if (character === '"' || character === '\\') return `\\${character}`;
    return byte >= 0x20 && byte < 0x7f ? character : `\\${byte.toString(8).padStart(3, '0')}`;
  });
  return `"${bytes.join('')}"`;
}
