/** The function that predicts, through Lambda's Invoke API. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html */
import type { Reply, SignedRequests } from '../../aws/signed-requests.js';
import type { FunctionFault, Outcome } from '../policy/outcome.js';
import type { FunctionResult, TargetAnswer } from './answer.js';
import { commonOutcome, isName, jsonMembers, readServiceError, wholeSeconds } from './service-error.js';

export interface LambdaTargetOptions {
  readonly post: SignedRequests;
  /** Name or ARN, with the alias. */
  readonly functionName: string;
}

export interface Invocation {
  /** The event as JSON. */
  readonly payload: string;
  readonly signal: AbortSignal;
  /** Whether a status of 500 to 599 is an answer too, and not the end of an attempt. */
  readonly takesErrorAnswers: boolean;
  /** X-Ray's, of this invocation of the router. */
  readonly trace?: string | undefined;
}

export class LambdaTarget {
  private readonly path: string;

  constructor(private readonly options: LambdaTargetOptions) {
    this.path = `/2015-03-31/functions/${encodeURIComponent(options.functionName)}/invocations`;
  }

  async invoke({ payload, signal, takesErrorAnswers, trace }: Invocation): Promise<Outcome<TargetAnswer>> {
    const reply = await this.options.post.send({
      path: this.path,
      headers: {
        'content-type': 'application/json',
        'x-amz-invocation-type': 'RequestResponse',
        ...(trace === undefined ? {} : { 'x-amzn-trace-id': trace }),
      },
      body: payload,
      signal,
    });
    if (reply.kind === 'broken') return { kind: 'connection', phase: reply.phase, code: reply.code };
    if (reply.status !== 200) return serviceOutcome(reply);
    const text = reply.body.toString('utf8');
    if (reply.headers['x-amz-function-error'] !== undefined) return functionError(text);
    const result = parseResult(text);
    // Lambda says how long its answers are; what is cut short without that is no function's fault.
    if (result === undefined && !reply.isFramed)
      return { kind: 'connection', phase: 'answering', code: 'ANSWER_INVALID' };
    if (result === undefined) return { kind: 'function-error', cause: 'malformed', code: 'RESULT_INVALID' };
    if (result.statusCode < 500 || takesErrorAnswers) return { kind: 'answer', answer: { kind: 'result', result } };
    return errorAnswer(result);
  }
}

function serviceOutcome(reply: Extract<Reply, { kind: 'reply' }>): Outcome<never> {
  const error = readServiceError(reply);
  const { code, status, retryAfterSeconds } = error;
  if (NOT_READY.has(code)) return { kind: 'not-ready', code, retryAfterSeconds };
  // Made of the caller's event: another one may be well.
  if (code === 'InvalidRequestContentException') return { kind: 'refused', status, code, isOfRequest: true };
  return commonOutcome(error);
}

/** The function is being created or changed. */
const NOT_READY = new Set(['ResourceNotReadyException', 'ResourceConflictException', 'SnapStartNotReadyException']);

/** https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html and the payloads that Lambda writes itself */
function functionError(text: string): Outcome<never> {
  const { errorType, errorMessage } = jsonMembers(text);
  const message = typeof errorMessage === 'string' ? errorMessage : '';
  if (errorType === 'Sandbox.Timedout' || /\bTask timed out after [\d.]+ seconds$/.test(message))
    return { kind: 'timeout' };
  const code = isName(errorType) ? errorType : 'UNNAMED';
  return { kind: 'function-error', cause: faultOf(code, message), code };
}

function faultOf(code: string, message: string): FunctionFault {
  // Lambda kills what needs more memory than there is, and says only that.
  if (code === 'Runtime.OutOfMemory' || (code === 'Runtime.ExitError' && /signal: killed$/.test(message))) {
    return 'out-of-memory';
  }
  return code.startsWith('Runtime.') ? 'crash' : 'unhandled';
}

function parseResult(text: string): FunctionResult | undefined {
  const { statusCode, headers, body, isBase64Encoded } = jsonMembers(text);
  const isResult =
    Number.isInteger(statusCode) &&
    Number(statusCode) >= 200 &&
    Number(statusCode) <= 599 &&
    (headers === undefined || (typeof headers === 'object' && headers !== null)) &&
    (body === undefined || typeof body === 'string');
  if (!isResult) return undefined;
  return {
    statusCode: Number(statusCode),
    headers: (headers ?? {}) as Readonly<Record<string, string>>,
    body: body ?? '',
    isBase64Encoded: isBase64Encoded === true,
  };
}

/** What predict answers when it has no prediction. */
function errorAnswer({ statusCode, headers = {}, body }: FunctionResult): Outcome<never> {
  const { code } = jsonMembers(body);
  const name = isName(code) ? code : `HTTP_${statusCode}`;
  if (statusCode === 503)
    return { kind: 'not-ready', code: name, retryAfterSeconds: wholeSeconds(headers['retry-after']) };
  return { kind: 'function-error', cause: name === 'OUT_OF_MEMORY' ? 'out-of-memory' : 'error-answer', code: name };
}
