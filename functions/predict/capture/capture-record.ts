/** A request and its answer as they are kept: without headers that nobody asked for, and without what is redacted. */
import {
  CAPTURE_SCHEMA_VERSION,
  type CapturedBody,
  type CapturedInference,
  type CaptureSettings,
  CONTENT_HEADERS,
  isSecretHeader,
  type Redactions,
} from '../../../lib/artifact/capture.js';
import type { Manifest } from '../../../lib/artifact/manifest.js';
import type { HttpRequest, HttpResponse } from '../../http/http.js';
import { HEADER_LENGTH } from '../../http/infer-body.js';
import { redactTensorFlow } from './redact-tensorflow.js';
import { redactV2 } from './redact-v2.js';

export interface Exchange {
  readonly id: string;
  readonly time: Date;
  readonly request: HttpRequest;
  readonly response: HttpResponse;
}

type Protocol = 'v2' | 'tensorflow' | 'task';
const INFERENCES: readonly (readonly [protocol: Protocol, path: RegExp])[] = [
  ['v2', /^\/v2\/models\/[^/]+(?:\/versions\/[^/]+)?\/infer$/],
  ['tensorflow', /^\/v1\/models\/[^/:]+(?:\/versions\/[^/:]+)?:predict$/],
  ['task', /^\/predict\/[^/]+$/],
];

/** Undefined for a request that asks for no inference. */
export function protocolOf({ method, path }: HttpRequest): Protocol | undefined {
  return method === 'POST' ? INFERENCES.find(([, route]) => route.test(path))?.[0] : undefined;
}

/** Undefined for what is no inference. */
export function captureRecord(
  { id, time, request, response }: Exchange,
  { name, modelVersion, contentHash, signature }: Manifest,
  settings: CaptureSettings,
): CapturedInference | undefined {
  const protocol = protocolOf(request);
  if (protocol === undefined) return undefined;
  // What was refused need not have the form that redaction reads, and an error may quote an input.
  const form = response.status < 400 ? protocol : 'task';
  const [inputs, outputs] = [
    settings.inputs,
    form === 'task' ? { ...settings.inputs, ...settings.outputs } : settings.outputs,
  ];
  const side = (which: 'inputs' | 'outputs', redactions: Redactions): Side => ({
    which,
    names: signature[which].map((tensor) => tensor.name),
    redactions,
  });
  return {
    schemaVersion: CAPTURE_SCHEMA_VERSION,
    id,
    time: time.toISOString(),
    model: name,
    modelVersion,
    contentHash,
    request: {
      method: request.method,
      path: request.path,
      ...bodyOf(form, request.headers, request.body, side('inputs', inputs), settings),
    },
    response: {
      status: response.status,
      ...bodyOf(form, response.headers, contentOf(response), side('outputs', outputs), settings),
    },
  };
}

interface Side {
  readonly which: 'inputs' | 'outputs';
  readonly names: readonly string[];
  readonly redactions: Redactions;
}

interface Content {
  readonly content: string;
  readonly isBase64: boolean;
}

function contentOf({ body }: HttpResponse): Content {
  if (typeof body === 'string') return { content: body, isBase64: false };
  return { content: Buffer.concat(body).toString('base64'), isBase64: true };
}

function bodyOf(
  protocol: Protocol,
  headers: Readonly<Record<string, string | undefined>>,
  { content, isBase64 }: Content,
  side: Side,
  settings: CaptureSettings,
): CapturedBody {
  const kept = keptHeaders(headers, settings.headers);
  const omitted: CapturedBody = { headers: kept, body: '', isBase64: false, redacted: true };
  if (Buffer.byteLength(content) > settings.maxBodyBytes) return omitted;
  if (Object.keys(side.redactions).length === 0) return { headers: kept, body: content, isBase64, redacted: false };
  if (protocol === 'tensorflow') {
    const text = isBase64 ? Buffer.from(content, 'base64').toString('utf8') : content;
    const body = redactTensorFlow(text, side.which, side.names, side.redactions);
    return body === undefined ? omitted : { headers: kept, body, isBase64: false, redacted: true };
  }
  // What a task takes and gives is all of its inputs and outputs.
  if (protocol === 'task') return omitted;
  const length = headers[HEADER_LENGTH];
  const redacted = redactV2(
    {
      bytes: Buffer.from(content, isBase64 ? 'base64' : 'utf8'),
      headerLength: length === undefined ? undefined : Number(length),
    },
    side.which,
    side.redactions,
  );
  if (redacted === undefined) return omitted;
  const { [HEADER_LENGTH]: _, ...others } = kept;
  return redacted.headerLength === undefined
    ? { headers: others, body: redacted.bytes.toString('utf8'), isBase64: false, redacted: true }
    : {
        headers: { ...others, [HEADER_LENGTH]: String(redacted.headerLength) },
        body: redacted.bytes.toString('base64'),
        isBase64: true,
        redacted: true,
      };
}

function keptHeaders(
  headers: Readonly<Record<string, string | undefined>>,
  allowed: readonly string[],
): Readonly<Record<string, string>> {
  const names = [...CONTENT_HEADERS, ...allowed].filter((name) => !isSecretHeader(name));
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
