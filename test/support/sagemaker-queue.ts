/**
 * A stand-in for an asynchronous endpoint of SageMaker with Triton behind it: InvokeEndpointAsync takes a request's place in S3 and says where
 * the answer will be; work on it is done when a test says so. What the container answers with an error becomes a failure object.
 * https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ServiceAnswer } from './faulty-service.js';
import type { LoopbackS3 } from './loopback-s3.js';
import { serviceError, TritonContainer, type TritonOptions } from './triton-on-sagemaker.js';

export interface SageMakerQueueOptions extends Pick<TritonOptions, 'endpointName' | 'model' | 'signature'> {
  readonly bucket: string;
  readonly s3: LoopbackS3;
  /** Whether a request is worked on as soon as it is there. Default false: `work` does it. */
  readonly isWorking?: boolean;
}

export interface QueuedInvocation {
  readonly inferenceId: string;
  readonly inputKey: string;
  readonly contentType: string;
  readonly outputKey: string;
  readonly failureKey: string;
}

export class LoopbackQueue {
  /** All that were taken, in their order. */
  readonly taken: QueuedInvocation[] = [];
  private readonly waiting: QueuedInvocation[] = [];

  private constructor(
    private readonly options: SageMakerQueueOptions,
    private readonly container: TritonContainer,
  ) {}

  static async open(options: SageMakerQueueOptions): Promise<LoopbackQueue> {
    return new LoopbackQueue(options, await TritonContainer.open(options));
  }

  /** Computes all that waits. */
  async work(): Promise<void> {
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) await this.compute(next);
  }

  async close(): Promise<void> {
    await this.container.close();
  }

  /** InvokeEndpointAsync. */
  async take(request: IncomingMessage): Promise<ServiceAnswer> {
    await request.toArray();
    const { headers } = request;
    const { endpointName, bucket, isWorking = false } = this.options;
    const header = (name: string) => String(headers[`x-amzn-sagemaker-${name}`] ?? '');
    const [, inputBucket, inputKey = ''] = /^s3:\/\/([^/]+)\/(.+)$/.exec(header('inputlocation')) ?? [];
    const problem =
      request.method !== 'POST' || request.url !== `/endpoints/${endpointName}/async-invocations`
        ? 'Endpoint of account 000000000000 not found.'
        : problemOf(header, inputBucket === bucket);
    if (problem !== undefined) return serviceError(400, 'ValidationError', { Message: problem });
    const inferenceId = header('inference-id');
    const name = randomUUID();
    const invocation: QueuedInvocation = {
      inferenceId,
      inputKey,
      contentType: header('content-type'),
      outputKey: `results/${name}.out`,
      failureKey: `failures/${name}-error.out`,
    };
    this.taken.push(invocation);
    this.waiting.push(invocation);
    if (isWorking) await this.work();
    return {
      status: 202,
      headers: {
        'content-type': 'application/json',
        'x-amzn-sagemaker-outputlocation': `s3://${bucket}/${invocation.outputKey}`,
        'x-amzn-sagemaker-failurelocation': `s3://${bucket}/${invocation.failureKey}`,
      },
      body: Buffer.from(JSON.stringify({ InferenceId: inferenceId })),
    };
  }

  private async compute({ inputKey, contentType, outputKey, failureKey }: QueuedInvocation): Promise<void> {
    const { s3 } = this.options;
    const input = s3.objects.get(inputKey);
    if (input === undefined) {
      s3.put(failureKey, Buffer.from('The request could not be read.'), 'text/plain');
      return;
    }
    const answer = await this.container.invoke(contentType, input.body);
    if (answer.status === 200) s3.put(outputKey, answer.body, String(answer.headers['content-type']));
    else s3.put(failureKey, answer.body, 'application/json');
  }
}

/** The bounds of the reference. */
function problemOf(header: (name: string) => string, isOwnBucket: boolean): string | undefined {
  const between = (name: string, min: number, max: number) => {
    const value = header(name);
    return value === '' || (Number(value) >= min && Number(value) <= max);
  };
  if (!isOwnBucket) return 'InputLocation is in a bucket that the role cannot read.';
  if (header('inference-id').length > 64) return 'InferenceId has more than 64 characters.';
  if (!between('requestttlseconds', 60, 21_600)) return 'RequestTTLSeconds is out of bounds.';
  return between('invocationtimeoutseconds', 1, 3_600) ? undefined : 'InvocationTimeoutSeconds is out of bounds.';
}
