/**
 * SageMaker's asynchronous endpoint: the request is an object, and so will be the answer.
 * https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html
 */
import type { SignedRequests } from '../../aws/signed-requests.js';
import { jsonMembers, readServiceError } from './service-error.js';

export interface SageMakerQueueOptions {
  readonly requests: SignedRequests;
  readonly endpointName: string;
}

export interface Submission {
  /** What SageMaker is to call it: at most 64 characters. */
  readonly inferenceId: string;
  /** `s3://…` of the request. */
  readonly input: string;
  readonly contentType: string;
  readonly signal: AbortSignal;
}

export type SubmitOutcome =
  /** `s3://…` of what the result, or the reason why there is none, will be. */
  | { readonly kind: 'accepted'; readonly output: string; readonly failure: string | undefined }
  /** It may be in the queue. */
  | { readonly kind: 'unacknowledged'; readonly code: string }
  /** It is not. */
  | { readonly kind: 'refused'; readonly code: string; readonly retryAfterSeconds: number | undefined };

/** The most that there is, and the default: what waits for longer is given up. */
export const MAX_WAIT_SECONDS = 21_600;
/** How long one request may be computed: SageMaker's most. */
export const MAX_RUN_SECONDS = 3_600;

export class SageMakerQueue {
  private readonly path: string;

  constructor(private readonly options: SageMakerQueueOptions) {
    this.path = `/endpoints/${encodeURIComponent(options.endpointName)}/async-invocations`;
  }

  async submit({ inferenceId, input, contentType, signal }: Submission): Promise<SubmitOutcome> {
    const reply = await this.options.requests.send({
      path: this.path,
      headers: {
        'x-amzn-sagemaker-content-type': contentType,
        'x-amzn-sagemaker-inference-id': inferenceId,
        'x-amzn-sagemaker-inputlocation': input,
        'x-amzn-sagemaker-requestttlseconds': String(MAX_WAIT_SECONDS),
        'x-amzn-sagemaker-invocationtimeoutseconds': String(MAX_RUN_SECONDS),
      },
      signal,
    });
    if (reply.kind === 'broken') {
      const { phase, code } = reply;
      return phase === 'connecting'
        ? { kind: 'refused', code, retryAfterSeconds: undefined }
        : { kind: 'unacknowledged', code };
    }
    if (reply.status === 200 || reply.status === 202) {
      const { outputlocation, failurelocation } = locations(reply);
      if (outputlocation === undefined) return { kind: 'unacknowledged', code: 'ANSWER_INVALID' };
      return { kind: 'accepted', output: outputlocation, failure: failurelocation };
    }
    const { status, code, retryAfterSeconds } = readServiceError(reply);
    // An internal failure may have come after the request was in the queue; these two say that it is not.
    const isRefusal = status < 500 || status === 503;
    return isRefusal ? { kind: 'refused', code, retryAfterSeconds } : { kind: 'unacknowledged', code };
  }
}

/** In headers; the reference shows them in the body too. */
function locations({ headers, body }: { headers: Readonly<Record<string, string | undefined>>; body: Buffer }) {
  const { OutputLocation, FailureLocation } = jsonMembers(body.toString('utf8'));
  const uri = (value: unknown) => (typeof value === 'string' && value.startsWith('s3://') ? value : undefined);
  return {
    outputlocation: uri(headers['x-amzn-sagemaker-outputlocation']) ?? uri(OutputLocation),
    failurelocation: uri(headers['x-amzn-sagemaker-failurelocation']) ?? uri(FailureLocation),
  };
}
