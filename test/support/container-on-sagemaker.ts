/**
 * SageMaker's InvokeEndpoint in front of a server of Open Inference Protocol V2 that is not ours, as it stands in front of Triton: the body goes
 * through unchanged, the length of the document in front of binary tensors travels in the content type, and what the server answers
 * with another status than 2xx comes as ModelError.
 */
import { type IncomingHttpHeaders, request } from 'node:http';
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
    answer: async (call) => {
      const body = Buffer.concat(await call.toArray());
      if (call.method !== 'POST' || call.url !== path) return unknownEndpoint();
      return await infer(options, call.headers['content-type'] ?? '', body);
    },
  });
}

async function infer({ url, model }: ContainerOptions, type: string, body: Buffer): Promise<ServiceAnswer> {
  const headers = type.startsWith(BINARY_TYPE)
    ? { 'content-type': 'application/octet-stream', [HEADER_LENGTH]: type.slice(BINARY_TYPE.length) }
    : { 'content-type': type };
  const reply = await postToContainer(`${url}/v2/models/${model}/infer`, headers, body);
  if (reply.status < 200 || reply.status > 299) return modelError(reply.status, reply.body.toString());
  const length = reply.headers[HEADER_LENGTH];
  const contentType = length === undefined ? 'application/json' : `${BINARY_TYPE}${String(length)}`;
  return { status: 200, headers: { 'content-type': contentType }, body: reply.body };
}

/** On a connection of its own: a server may close one after an error, while the next request is on its way. */
export function postToContainer(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers, agent: false }, (response) => {
      response
        .toArray()
        .then((chunks) =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
        )
        .catch(reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
