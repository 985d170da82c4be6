/** What the paths of an OpenAPI document are made of. https://spec.openapis.org/oas/v3.1.0 */
import type { JsonSchema } from './openapi-schemas.js';

export interface MediaType {
  readonly schema: JsonSchema;
}

export interface OpenApiHeader {
  readonly description: string;
  readonly schema: JsonSchema;
}

/** By name: where among the components it is described. */
export type HeaderReferences = Readonly<Record<string, { readonly $ref: string }>>;

export interface OpenApiResponse {
  readonly description: string;
  readonly headers?: HeaderReferences;
  readonly content: Readonly<Record<string, MediaType>>;
  /** Operations that go on from here, by names of their own. */
  readonly links?: Readonly<Record<string, { readonly operationId: string; readonly parameters: JsonSchema }>>;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: true; readonly content: Readonly<Record<string, MediaType>> };
  readonly responses: Readonly<Record<string, OpenApiResponse>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'header';
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
}

export type PathItem = Readonly<Partial<Record<'get' | 'post', Operation>>>;

/** Bytes of any kind; in OpenAPI 3.1 a schema without a type. */
export const BYTES: JsonSchema = {};
export const HEADER_LENGTH: Parameter = {
  name: 'Inference-Header-Content-Length',
  in: 'header',
  required: false,
  description: 'Bytes of the JSON document, where binary tensors follow it.',
  schema: { type: 'integer', minimum: 0 },
};

export function tagOf(modelName: string): string {
  return `model ${modelName}`;
}

export function json(schema: JsonSchema): Readonly<Record<string, MediaType>> {
  return { 'application/json': { schema } };
}

export function reference(schema: string): JsonSchema {
  return { $ref: `#/components/schemas/${schema}` };
}

const ERRORS: Readonly<Record<string, string>> = {
  '400': 'The request is wrong',
  '404': 'There is no such model, version or route',
  '413': 'The body is too large',
  '415': 'The body has a type or an encoding that is not taken',
  '422': 'The answer cannot be written in the form that was asked for',
  '500': 'The function failed, or had not enough memory',
  '503': 'The model could not be opened',
};

export type Responses = Readonly<Record<string, OpenApiResponse>>;

/** 200 and errors. */
export function responses(content: Readonly<Record<string, MediaType>>, errors: readonly string[]): Responses {
  return { '200': { description: 'The answer', content }, ...failures(errors) };
}

export function failures(statuses: readonly string[]): Responses {
  return Object.fromEntries(statuses.map((status) => [status, failure(ERRORS[status] ?? status)]));
}

export function failure(description: string): OpenApiResponse {
  return { description, content: json(reference('Error')) };
}
