/**
 * A strict reader of protobuf's text format (https://protobuf.dev/reference/protobuf/textformat-spec/), as far as configurations use it: fields
 * of a message by a table; an unknown field, a second value of a field that is not repeated, and a value of another type are errors.
 */

/** A message's fields by name: a scalar type, the values of an enum, a message, or a map from text; `repeated` for lists. */
export interface MessageSchema {
  readonly [field: string]: FieldSchema;
}
export type FieldType = 'string' | 'bool' | 'int32' | 'int64' | 'uint32' | 'uint64' | readonly string[] | MessageSchema;
export interface FieldSchema {
  readonly type: FieldType;
  readonly repeated?: boolean;
  /** Read into an object by key; `type` is that of the values. */
  readonly map?: boolean;
  /** At most one field of a group may be set. */
  readonly oneof?: string;
}

const TOKEN =
  /\s*(?:(?<name>[A-Za-z_]\w*)|(?<number>-?\d+)(?![\w.])|"(?<text>(?:[^"\\\n]|\\.)*)"|(?<sign>[{}[\]:,]))/uy;
const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

type Token = { readonly kind: 'name' | 'number' | 'text' | 'sign'; readonly value: string };
export type Message = { [field: string]: unknown };

/** @throws Error at the first thing that the schema does not have */
export function readProtobufText(text: string, schema: MessageSchema): Message {
  const tokens = tokenize(text);
  const message = readFields(tokens, schema, 'the message', undefined);
  if (tokens.length > 0) throw new Error(`'${tokens[0]?.value}' behind the message`);
  return message;
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const trimmed = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < trimmed.length) {
    const at = TOKEN.lastIndex;
    const groups = TOKEN.exec(trimmed)?.groups;
    if (groups === undefined) throw new Error(`no token at '${trimmed.slice(at, at + 20)}'`);
    const [kind, value = ''] = Object.entries(groups).find(([, found]) => found !== undefined) ?? ['sign'];
    tokens.push({ kind: kind as Token['kind'], value });
  }
  return tokens;
}

function readFields(tokens: Token[], schema: MessageSchema, where: string, end: string | undefined): Message {
  const message: Message = {};
  while (tokens.length > 0 && tokens[0]?.value !== end) {
    const name = take(tokens, 'name');
    const field = Object.hasOwn(schema, name) ? schema[name] : undefined;
    if (field === undefined) throw new Error(`${where} has no field '${name}'`);
    const isMessage = typeof field.type === 'object' && !Array.isArray(field.type);
    const colon = tokens[0]?.value === ':';
    if (colon) tokens.shift();
    else if (!isMessage && field.map !== true) throw new Error(`'${name}' needs a colon`);
    const values = readValues(tokens, field, `${where}.${name}`);
    const others = Object.keys(message).filter(
      (other) => field.oneof !== undefined && schema[other]?.oneof === field.oneof,
    );
    if (others.some((other) => other !== name)) throw new Error(`'${name}' beside '${others[0]}'`);
    if (field.map === true) {
      const entries = (message[name] ?? {}) as Message;
      message[name] = entries;
      for (const { key, value } of values as { key: string; value: unknown }[]) {
        if (Object.hasOwn(entries, key)) throw new Error(`${where}.${name} has '${key}' twice`);
        entries[key] = value;
      }
    } else if (field.repeated === true) message[name] = [...((message[name] as unknown[]) ?? []), ...values];
    else if (Object.hasOwn(message, name) || values.length !== 1) throw new Error(`${where}.${name} is given twice`);
    else message[name] = values[0];
  }
  return message;
}

function readValues(tokens: Token[], field: FieldSchema, where: string): unknown[] {
  if (!isSign(tokens, '[')) return [readValue(tokens, field, where)];
  if (field.repeated !== true && field.map !== true) throw new Error(`${where} is not repeated`);
  tokens.shift();
  const values: unknown[] = [];
  while (!isSign(tokens, ']')) {
    values.push(readValue(tokens, field, where));
    if (isSign(tokens, ',')) {
      tokens.shift();
      if (isSign(tokens, ']')) throw new Error(`${where}: a comma in front of ]`);
    } else if (!isSign(tokens, ']')) throw new Error(`${where}: no comma`);
  }
  tokens.shift();
  return values;
}

function isSign([token]: readonly Token[], sign: string): boolean {
  return token?.kind === 'sign' && token.value === sign;
}

function readValue(tokens: Token[], field: FieldSchema, where: string): unknown {
  if (field.map === true) {
    const entry: MessageSchema = { key: { type: 'string' }, value: { type: field.type } };
    return { key: '', ...(readValue(tokens, { type: entry }, where) as Message) };
  }
  const { type } = field;
  if (Array.isArray(type)) return oneOf(take(tokens, 'name'), type as readonly string[], where);
  if (typeof type === 'object') {
    expectSign(tokens, '{', where);
    const message = readFields(tokens, type as MessageSchema, where, '}');
    expectSign(tokens, '}', where);
    return message;
  }
  if (type === 'string') return unescaped(take(tokens, 'text', where));
  if (type === 'bool') return oneOf(take(tokens, 'name', where), ['true', 'false'], where) === 'true';
  const number = BigInt(take(tokens, 'number', where));
  const [least, most] = RANGES[type as string] ?? [0n, 0n];
  if (number < least || number > most) throw new Error(`${where}: ${number} is no ${type as string}`);
  return Number(number);
}

function take(tokens: Token[], kind: Token['kind'], where = ''): string {
  const token = tokens.shift();
  if (token?.kind !== kind) throw new Error(`${where}: a ${kind} was expected, not '${token?.value ?? 'the end'}'`);
  return token.value;
}

function expectSign(tokens: Token[], sign: string, where: string): void {
  const found = take(tokens, 'sign', where);
  if (found !== sign) throw new Error(`${where}: ${sign} was expected, not ${found}`);
}

function oneOf(name: string, names: readonly string[], where: string): string {
  if (!names.includes(name)) throw new Error(`${where}: '${name}' is none of ${names.join(', ')}`);
  return name;
}

function unescaped(text: string): string {
  const bytes: number[] = [];
  for (const [, octal, plain, escaped] of text.matchAll(/\\([0-7]{1,3})|([^\\])|\\(["\\])/gu)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else bytes.push(...Buffer.from(plain ?? escaped ?? ''));
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));
}
