/** Damage for HTTP requests. Every edit takes what it needs of chance from `random`, so that a seed makes the same request again. */
import { below, pick, type Random } from '../mutation-edits.js';
import { editJson } from './json-edits.js';
import type { WireRequest } from './valid-requests.js';

export type RequestEdit = (request: WireRequest, random: Random) => WireRequest;

export const HEADER_LENGTH = 'inference-header-content-length';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'get', 'TRACE', '', 'POST\0', '__proto__'];

const PATH_TOKENS = [
  '/',
  '//',
  '..',
  '%2e%2e',
  '%00',
  '%zz',
  '%ff',
  '%2F',
  ':',
  ':predict',
  '?',
  '#',
  ' ',
  '\u0000',
  'é',
];
const PATH_SEGMENTS = [
  'v1',
  'v2',
  'models',
  'echo',
  'faces',
  'texts',
  'sounds',
  'versions',
  '3',
  '1',
  '-1',
  '1e3',
  'infer',
  'ready',
  'predict',
];
const MORE_SEGMENTS = [
  'metadata',
  'openapi.json',
  'health',
  '__proto__',
  'constructor',
  '',
  'x'.repeat(2000),
  '{model}',
];

const HEADER_NAMES = ['content-type', 'content-encoding', HEADER_LENGTH, 'accept', 'content-length', '__proto__', 'x'];
const HEADER_VALUES = [
  ...[
    '',
    ' ',
    'identity',
    'gzip',
    'application/json',
    'application/octet-stream',
    'image/png',
    'text/plain',
    'audio/wav',
  ],
  ...['application/json; charset=utf-16', 'multipart/form-data; boundary=x', ';', 'é', '\u0000', 'a,b', '*/*'],
  ...['0', '1', '-1', '1.5', '1e3', '0x10', '999999999999999', '99999999999999999999', 'NaN', '１'],
];

/** Of JSON, and of binary formats. */
const BODY_TOKENS = [
  ...['NaN', 'Infinity', '1e999', '-1e999', '-0', '9007199254740993', '1e-400', '00', '0x1', 'null', 'true', '""', '"'],
  ...['\\u0000', '\\ud800', '\\', '"__proto__":', '"constructor":', '"b64":', '[', ']', '{', '}', ',', ':', '/*', '\n'],
  ...[
    '[[[[[[[[',
    '{"a":'.repeat(70),
    '[]',
    '{}',
    '\ufeff',
    '\u2028',
    '\0',
    '"shape":[-1]',
    '"data":[]',
    '1'.repeat(400),
  ],
].map((token) => Buffer.from(token));
const BYTE_TOKENS = [
  [0xff, 0xff, 0xff, 0xff],
  [0, 0, 0, 0],
  [0x80, 0, 0, 0],
  [0xff, 0xd8, 0xff],
  [0xff, 0xd9],
  [0xff, 0xda],
  [0xff, 0xc4],
  [0x89, 0x50, 0x4e, 0x47],
  [0x49, 0x44, 0x41, 0x54],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  // RIFF, data, 0x7ff0 0000 and a format of floats.
  [0x52, 0x49, 0x46, 0x46],
  [0x64, 0x61, 0x74, 0x61],
  [0, 0, 0xf0, 0x7f],
  [3, 0, 1, 0],
].map((token) => Buffer.from(token));

export const requestEdits: Readonly<Record<string, RequestEdit>> = {
  method: (request, random) => ({ ...request, method: pick(random, METHODS) }),

  path: (request, random) => {
    const segments = request.path.split('/');
    const at = below(random, segments.length);
    const segment = segments[at] ?? '';
    const place = below(random, segment.length + 1);
    const edits: (() => void)[] = [
      () => segments.splice(at, 1),
      () => segments.splice(at, 0, segment),
      () => segments.splice(at, 1, pick(random, [...PATH_SEGMENTS, ...MORE_SEGMENTS])),
      () => segments.splice(at, 0, pick(random, PATH_SEGMENTS)),
      () => segments.splice(at, 1, segment.slice(0, place) + pick(random, PATH_TOKENS) + segment.slice(place)),
      () => segments.splice(at, 1, segment.slice(0, place) + segment.slice(place + 1)),
      () => segments.splice(at, 1, segment.toUpperCase()),
      () => segments.splice(at, 1, [...segment].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('')),
    ];
    pick(random, edits)();
    return { ...request, path: segments.join('/') };
  },

  headers: (request, random) => {
    const headers = request.headers.map(([name, value]): [string, string] => [name, value]);
    const at = below(random, headers.length);
    const edits: (() => void)[] = [
      () => headers.splice(at, 1),
      () => headers.push([...(headers[at] ?? ['x', ''])]),
      () => headers.push([pick(random, HEADER_NAMES), pick(random, HEADER_VALUES)]),
      () => headers.splice(at, 1, [headers[at]?.[0] ?? 'x', pick(random, HEADER_VALUES)]),
      () => headers.splice(at, 1, [headers[at]?.[0] ?? 'x', `${headers[at]?.[1]}${pick(random, HEADER_VALUES)}`]),
    ];
    pick(random, edits)();
    return { ...request, headers };
  },

  'header length': (request, random) => {
    const { length } = request.body;
    const now = documentLength(request);
    return withHeaderLength(
      request,
      pick(random, [0, 1, now - 1, now + 1, now + 4, now * 2, length, length + 1, below(random, length + 1), 2 ** 53]),
    );
  },

  'bit flips': (request, random) => {
    const body = Buffer.from(request.body);
    for (let count = 1 + below(random, 8); count > 0 && body.length > 0; count--) {
      // Headers more often than data.
      const at = Math.floor(random() ** 2 * body.length);
      body[at] = (body[at] ?? 0) ^ (1 << below(random, 8));
    }
    return { ...request, body };
  },

  truncation: (request, random) => ({
    ...request,
    body: request.body.subarray(
      random() < 0.2 ? below(random, request.body.length) : 0,
      below(random, request.body.length + 1),
    ),
  }),

  splice: ({ body, ...request }, random) => {
    const from = below(random, body.length);
    const part = body.subarray(from, from + below(random, 300));
    const at = below(random, body.length);
    const skip = random() < 0.5 ? part.length : 0;
    return { ...request, body: Buffer.concat([body.subarray(0, at), part, body.subarray(at + skip)]) };
  },

  duplication: ({ body, ...request }) => ({ ...request, body: Buffer.concat([body, body]) }),

  tokens: ({ body, ...request }, random) => {
    const at = below(random, body.length + 1);
    const token = pick(random, random() < 0.7 ? BODY_TOKENS : BYTE_TOKENS);
    const skip = random() < 0.5 ? token.length : 0;
    return { ...request, body: Buffer.concat([body.subarray(0, at), token, body.subarray(at + skip)]) };
  },

  document: (request, random) => {
    const length = documentLength(request);
    const text = Buffer.from(request.body.subarray(0, length)).toString();
    const document = Buffer.from(editJson(text, random));
    const body = Buffer.concat([document, request.body.subarray(length)]);
    const edited = { ...request, body };
    const hasLength = request.headers.some(([name]) => name === HEADER_LENGTH);
    return hasLength && random() < 0.9 ? withHeaderLength(edited, document.length) : edited;
  },
};

/** Kinds of edits, those that reach furthest more often. */
const KINDS = [...Object.keys(requestEdits), 'document', 'document', 'document', 'bit flips', 'tokens'];

export function mutateRequest(original: WireRequest, random: Random): { request: WireRequest; kinds: string[] } {
  const kinds = Array.from({ length: 1 + below(random, 3) }, () => pick(random, KINDS));
  const request = kinds.reduce((current, kind) => requestEdits[kind]?.(current, random) ?? current, original);
  return { request, kinds };
}

function documentLength({ headers, body }: WireRequest): number {
  const length = Number(headers.find(([name]) => name === HEADER_LENGTH)?.[1]);
  return Number.isSafeInteger(length) && length >= 0 ? Math.min(length, body.length) : body.length;
}

function withHeaderLength(request: WireRequest, length: number): WireRequest {
  const others = request.headers.filter(([name]) => name !== HEADER_LENGTH);
  return { ...request, headers: [...others, [HEADER_LENGTH, String(length)]] };
}
