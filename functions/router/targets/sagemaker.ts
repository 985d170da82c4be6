/**
 * Triton behind SageMaker's InvokeEndpoint. The body is V2's.
 * https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html and Triton's src/sagemaker_server.cc
 */
import type { SignedRequests } from '../../aws/signed-requests.js';
import type { UndecodedInferBody } from '../../http/infer-body.js';
import type { Outcome } from '../policy/outcome.js';
import type { TargetAnswer } from './answer.js';
import { commonOutcome, jsonMembers, readServiceError, type ServiceError } from './service-error.js';
import { type BinaryInferBody, decodeTritonBody, encodeTritonBody } from './triton-body.js';

export interface SageMakerTargetOptions {
  readonly post: SignedRequests;
  readonly endpointName: string;
}

export const MAX_MESSAGE = 300;

export class SageMakerTarget {
  private readonly path: string;

  constructor(private readonly options: SageMakerTargetOptions) {
    this.path = `/endpoints/${encodeURIComponent(options.endpointName)}/invocations`;
  }

  async invoke(body: UndecodedInferBody | BinaryInferBody, signal: AbortSignal): Promise<Outcome<TargetAnswer>> {
    const encoded = encodeTritonBody(body);
    const headers = { 'content-type': encoded.contentType };
    const reply = await this.options.post.send({ path: this.path, headers, body: encoded.body, signal });
    if (reply.kind === 'broken') return { kind: 'connection', phase: reply.phase, code: reply.code };
    if (reply.status !== 200) return errorOutcome(readServiceError(reply));
    const response = decodeTritonBody(reply.headers['content-type'] ?? '', reply.body, reply.isFramed);
    if (response === undefined) return { kind: 'connection', phase: 'answering', code: 'ANSWER_INVALID' };
    return { kind: 'answer', answer: { kind: 'response', response } };
  }
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
export function tritonMessage(text: unknown): string {
  if (typeof text !== 'string') return '';
  const { error } = jsonMembers(text);
  return (typeof error === 'string' ? error : text).replaceAll(/\s+/g, ' ').trim();
}
