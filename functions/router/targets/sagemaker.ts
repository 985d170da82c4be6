/**
 * Triton behind SageMaker's InvokeEndpoint. The body is V2's; headers of the caller do not get through, so the length of the document in
 * front of binary tensors travels in the content type, both ways.
 * https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html and Triton's src/sagemaker_server.cc
 */
import type { Reply, SignedRequests } from '../../aws/signed-requests.js';
import type { HttpResponse } from '../../http/http.js';
import { HEADER_LENGTH, type UndecodedInferBody } from '../../http/infer-body.js';
import type { Outcome } from '../policy/outcome.js';
import type { TargetAnswer } from './answer.js';
import { commonOutcome, jsonMembers, readServiceError, type ServiceError } from './service-error.js';

export interface SageMakerTargetOptions {
  readonly post: SignedRequests;
  readonly endpointName: string;
}

const BINARY_TYPE = 'application/vnd.sagemaker-triton.binary+json;json-header-size=';
const MAX_MESSAGE = 300;

export class SageMakerTarget {
  private readonly path: string;

  constructor(private readonly options: SageMakerTargetOptions) {
    this.path = `/endpoints/${encodeURIComponent(options.endpointName)}/invocations`;
  }

  async invoke(body: UndecodedInferBody, signal: AbortSignal): Promise<Outcome<TargetAnswer>> {
    const reply = await this.options.post.send({ path: this.path, ...encode(body), signal });
    if (reply.kind === 'broken') return { kind: 'connection', phase: reply.phase, code: reply.code };
    if (reply.status !== 200) return errorOutcome(readServiceError(reply));
    const response = decode(reply);
    if (response === undefined) return { kind: 'connection', phase: 'answering', code: 'ANSWER_INVALID' };
    return { kind: 'answer', answer: { kind: 'response', response } };
  }
}

function encode(body: UndecodedInferBody): {
  readonly headers: { 'content-type': string };
  readonly body: string | Buffer;
} {
  if (body.kind === 'text') return { headers: { 'content-type': 'application/json' }, body: body.text };
  const type = body.headerLength === undefined ? 'application/json' : `${BINARY_TYPE}${body.headerLength}`;
  return { headers: { 'content-type': type }, body: Buffer.from(body.base64, 'base64') };
}

/** Undefined for what is no whole answer of Triton. */
function decode({ headers, body, isFramed }: Extract<Reply, { kind: 'reply' }>): HttpResponse | undefined {
  const type = headers['content-type'] ?? '';
  if (!type.startsWith(BINARY_TYPE)) {
    const text = body.toString('utf8');
    const isWhole = isFramed ? /^\s*\{/.test(text) : Object.keys(jsonMembers(text)).length > 0;
    return isWhole ? { status: 200, headers: { 'content-type': 'application/json' }, body: text } : undefined;
  }
  const digits = type.slice(BINARY_TYPE.length).trim();
  const length = Number(digits);
  if (!/^\d{1,10}$/.test(digits) || length > body.length) return undefined;
  if (body.length - length !== binaryBytes(jsonMembers(body.toString('utf8', 0, length)))) return undefined;
  return {
    status: 200,
    headers: { 'content-type': 'application/octet-stream', [HEADER_LENGTH]: String(length) },
    body: [body],
  };
}

/** How many bytes follow the document, by its own word. */
function binaryBytes({ outputs }: Readonly<Record<string, unknown>>): number {
  if (!Array.isArray(outputs)) return Number.NaN;
  const sizes = outputs.map((output: { parameters?: { binary_data_size?: unknown } } | null) =>
    Number(output?.parameters?.binary_data_size ?? 0),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

function errorOutcome(error: ServiceError): Outcome<never> {
  const { code, retryAfterSeconds } = error;
  if (code === 'ModelError') return modelError(error);
  if (code === 'ModelNotReadyException') return { kind: 'not-ready', code, retryAfterSeconds };
  return commonOutcome(error);
}

/**
 * Triton answers 400 for whatever goes wrong, its full queue included, so what it says counts too. SageMaker puts 0 where the container
 * said nothing in its time.
 */
function modelError({ members, retryAfterSeconds }: ServiceError): Outcome<never> {
  const { OriginalStatusCode: original, OriginalMessage: originalMessage, Message: message } = members;
  const status = typeof original === 'number' && Number.isInteger(original) ? original : 500;
  const said = tritonMessage(originalMessage ?? message);
  if (status === 429 || /exceeds maximum queue size/i.test(said)) return { kind: 'throttled', retryAfterSeconds };
  if (status === 0 || (status >= 500 && /timed out/i.test(said))) return { kind: 'timeout' };
  const isRefusal = status >= 400 && status < 500;
  return {
    kind: 'model-error',
    status: isRefusal ? status : Math.max(500, status),
    message: said.slice(0, MAX_MESSAGE),
  };
}

/** Of `{"error":"…"}`, or what else the container wrote. */
function tritonMessage(text: unknown): string {
  if (typeof text !== 'string') return '';
  const { error } = jsonMembers(text);
  return (typeof error === 'string' ? error : text).replaceAll(/\s+/g, ' ').trim();
}
