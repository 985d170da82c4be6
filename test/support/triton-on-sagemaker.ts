/**
 * A stand-in for Triton behind SageMaker's InvokeEndpoint: the model runs in onnxruntime-node in this process. What it keeps to is in Triton's
 * src/sagemaker_server.cc and in SageMaker's API reference: the content type carries the length of the document, errors of the container
 * come as ModelError with the container's status, and every error of Triton is a 400.
 */
import type { IncomingMessage } from 'node:http';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Signature, TensorSignature } from '../../lib/artifact/manifest.js';
import { CdkOnnxError } from '../../lib/errors.js';
import { decodeInferRequest } from '../../lib/protocol/infer-request.js';
import { encodeInferResponse } from '../../lib/protocol/infer-response.js';
import {
  type FaultyService,
  type FaultyServiceOptions,
  type ServiceAnswer,
  startFaultyService,
} from './faulty-service.js';

export interface TritonOptions {
  readonly endpointName: string;
  /** Path of the ONNX file, or its bytes. */
  readonly model: string | Uint8Array;
  readonly signature: Signature;
  /** Whoever answers InvokeEndpointAsync, at the same address. Default: nobody. */
  readonly queue?: { take(request: IncomingMessage): Promise<ServiceAnswer> };
  readonly fault?: FaultyServiceOptions['fault'];
}

/** Whether a call is one of InvokeEndpointAsync. */
export function isAsynchronous({ url }: IncomingMessage): boolean {
  return url?.endsWith('/async-invocations') ?? false;
}

/** In front of the length of the document. */
export const BINARY_TYPE = 'application/vnd.sagemaker-triton.binary+json;json-header-size=';
/** What the container calls the model and its version. */
const MODEL = { modelName: 'model', modelVersion: '1' };

/** The container: it gets what SageMaker passes on, and answers with a status of its own. */
export class TritonContainer {
  private constructor(
    private readonly session: InferenceSession,
    private readonly signature: Signature,
  ) {}

  static async open({ model, signature }: Pick<TritonOptions, 'model' | 'signature'>): Promise<TritonContainer> {
    const session = await (typeof model === 'string' ? InferenceSession.create(model) : InferenceSession.create(model));
    return new TritonContainer(session, signature);
  }

  invoke(contentType: string, body: Buffer): Promise<ServiceAnswer> {
    return infer(contentType, body, this.session, this.signature);
  }

  async close(): Promise<void> {
    await this.session.release();
  }
}

export async function startTritonOnSageMaker(options: TritonOptions): Promise<FaultyService> {
  const container = await TritonContainer.open(options);
  const path = `/endpoints/${options.endpointName}/invocations`;
  const service = await startFaultyService({
    answer: async (request) => {
      if (options.queue !== undefined && isAsynchronous(request)) return await options.queue.take(request);
      const body = Buffer.concat(await request.toArray());
      if (request.method !== 'POST' || request.url !== path) {
        return unknownEndpoint();
      }
      const answer = await container.invoke(request.headers['content-type'] ?? '', body);
      return answer.status === 200 ? answer : modelError(answer.status, answer.body.toString());
    },
    fault: options.fault,
  });
  return {
    ...service,
    close: async () => {
      await service.close();
      await container.close();
    },
  };
}

async function infer(
  type: string,
  body: Buffer,
  session: InferenceSession,
  signature: Signature,
): Promise<ServiceAnswer> {
  const scalars = new Set(
    [...signature.inputs, ...signature.outputs].filter(({ shape }) => shape?.length === 0).map(({ name }) => name),
  );
  const headerLength = type.startsWith(BINARY_TYPE) ? Number.parseInt(type.slice(BINARY_TYPE.length), 10) : undefined;
  try {
    const { id, inputs, outputs } = decodeInferRequest(
      { kind: 'bytes', bytes: body, headerLength },
      { inputs: signature.inputs.map(asConfigured), outputs: signature.outputs },
    );
    const feeds = Object.fromEntries(
      inputs.map(({ name, dataType, data, shape }) => [
        name,
        new Tensor(dataType, data as Float32Array, scalars.has(name) ? [] : [...shape]),
      ]),
    );
    const results = await session.run(
      feeds,
      outputs.map(({ name }) => name),
    );
    const types = new Map(signature.outputs.map(({ name, dataType }) => [name, dataType]));
    const { text, binary } = encodeInferResponse({
      ...MODEL,
      id,
      outputs: outputs.map(({ name, form }) => ({
        name,
        form,
        dataType: types.get(name) ?? 'float32',
        shape: scalars.has(name) ? [1] : (results[name]?.dims ?? []),
        data: (results[name]?.data ?? []) as Float32Array,
      })),
    });
    const document = Buffer.from(text);
    const contentType = binary.length === 0 ? 'application/json' : `${BINARY_TYPE}${document.length}`;
    return { status: 200, headers: { 'content-type': contentType }, body: Buffer.concat([document, ...binary]) };
  } catch (error) {
    // What Triton's own decoder says is not what ours says; the form is Triton's.
    if (!(error instanceof CdkOnnxError)) throw error;
    const text = JSON.stringify({ error: error.message });
    return { status: 400, headers: { 'content-type': 'application/json' }, body: Buffer.from(text) };
  }
}

/** config.pbtxt knows no scalars and calls them [1]. */
function asConfigured(tensor: TensorSignature): TensorSignature {
  return tensor.shape?.length === 0 ? { ...tensor, shape: [1] } : tensor;
}

/** As SageMaker passes on what a container answered with an error. */
export function modelError(status: number, message: string): ServiceAnswer {
  return serviceError(424, 'ModelError', {
    Message: `Received ${status < 500 ? 'client' : 'server'} error (${status}) from primary with message "${message}".`,
    OriginalStatusCode: status,
    OriginalMessage: message,
    LogStreamArn: 'arn:aws:logs:eu-west-1:000000000000:log-group:/aws/sagemaker/Endpoints/gpu',
  });
}

export function unknownEndpoint(): ServiceAnswer {
  return serviceError(400, 'ValidationError', { Message: 'Endpoint of account 000000000000 not found.' });
}

export function serviceError(status: number, type: string, members: Readonly<Record<string, unknown>>): ServiceAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': type },
    body: Buffer.from(JSON.stringify(members)),
  };
}
