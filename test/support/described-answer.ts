/** Answers held against an OpenAPI document, as clients that were generated from it read them. */
import { z } from 'zod';
import type { OpenApiDocument } from '../../lib/protocol/openapi.js';
import type { FunctionResult } from './predict-function.js';

/** Headers of which the document says where they come. */
const DESCRIBED_HEADERS = /^(x-cdk-onnx-(computed-by|reason)|location|retry-after)$/;

/** What an answer has that the document does not say of it; empty where it is as described. */
export function undescribed(
  document: OpenApiDocument,
  [method, path]: readonly ['get' | 'post', string],
  { statusCode, headers, body }: FunctionResult,
): string[] {
  const operation = document.paths[path]?.[method];
  const response = operation?.responses[statusCode];
  if (response === undefined) return [`${method} ${path} has no answer ${statusCode}`];
  const type = headers['content-type']?.split(';')[0] ?? 'none';
  const content = response.content[type];
  const described = new Map(
    Object.entries(response.headers ?? {}).map(([name, header]) => [name.toLowerCase(), resolved(document, header)]),
  );
  return [
    ...(content === undefined ? [`${statusCode} as ${type}`] : []),
    ...(content !== undefined && type === 'application/json'
      ? faultsOf(resolved(document, content.schema), JSON.parse(body), 'body')
      : []),
    ...Object.entries(headers)
      .filter(([name]) => DESCRIBED_HEADERS.test(name))
      .flatMap(([name, text]) => {
        const schema = Object(described.get(name)).schema;
        if (schema === undefined) return [`the header ${name} of ${statusCode}`];
        return faultsOf(schema, schema.type === 'integer' ? Number(text) : text, name);
      }),
  ];
}

function faultsOf(schema: unknown, value: unknown, what: string): string[] {
  const { error } = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(value);
  return error === undefined ? [] : [`${what}: ${z.prettifyError(error)}`];
}

/** With what it refers to in its place. */
function resolved(document: OpenApiDocument, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((member) => resolved(document, member));
  if (typeof value !== 'object' || value === null) return value;
  const { $ref } = value as { readonly $ref?: string };
  if ($ref === undefined) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, resolved(document, member)]));
  }
  const [, , kind = '', name = ''] = $ref.split('/');
  const components: Readonly<Record<string, Readonly<Record<string, unknown>>>> = { ...document.components };
  return resolved(document, components[kind]?.[name]);
}
