/**
 * SageMaker's InvokeEndpoint in front of a server of Open Inference Protocol V2 that is not ours, as it stands in front of Triton: the body goes
 * through unchanged, the length of the document in front of binary tensors travels in the content type, and what the server answers
 * with another status than 2xx comes as ModelError.
 */
import {
  type FaultyService,
  type FaultyServiceOptions,
  type ServiceAnswer,
  startFaultyService,
} from './faulty-service.js';
import { BINARY_TYPE, modelError, unknownEndpoint } from './triton-on-sagemaker.js';

export interface ContainerOptions {
  readonly endpointName: string;
  /** Of the server. */
  readonly url: string;
  /** What the server calls the model. */
  readonly model: string;
  readonly fault?: FaultyServiceOptions['fault'];
}

const HEADER_LENGTH = 'inference-header-content-length';

export function startContainerOnSageMaker(options: ContainerOptions): Promise<FaultyService> {
  const path = `/endpoints/${options.endpointName}/invocations`;
  return startFaultyService({
    fault: options.fault,
    answer: async (request) => {
      const body = Buffer.concat(await request.toArray());
      if (request.method !== 'POST' || request.url !== path) return unknownEndpoint();
      return await infer(options, request.headers['content-type'] ?? '', body);
    },
  });
}

async function infer({ url, model }: ContainerOptions, type: string, body: Buffer): Promise<ServiceAnswer> {
  const headers = type.startsWith(BINARY_TYPE)
    ? { 'content-type': 'application/octet-stream', [HEADER_LENGTH]: type.slice(BINARY_TYPE.length) }
    : { 'content-type': type };
  const response = await fetch(`${url}/v2/models/${model}/infer`, { method: 'POST', headers, body });
  const answered = Buffer.from(await response.arrayBuffer());
  if (!response.ok) return modelError(response.status, answered.toString());
  const length = response.headers.get(HEADER_LENGTH);
  const contentType = length === null ? 'application/json' : `${BINARY_TYPE}${length}`;
  return { status: 200, headers: { 'content-type': contentType }, body: answered };
}
