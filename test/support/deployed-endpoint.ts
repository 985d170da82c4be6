/** A caller of an endpoint in the emulator, which knows an API by its Host and signs for it as AWS's clients do. */
import { request } from 'node:http';
import { AwsV4Signer } from 'aws4fetch';
import { MINISTACK_REGION } from './ministack.js';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface EndpointRequest {
  readonly path: string;
  /** Default: GET, or POST with a body. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface EndpointAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
  json(): unknown;
}

/**
 * @param emulator where it listens
 * @param url as the stack's output says, `https://<api>.execute-api.<…>/<stage>`
 * @param credentials undefined: the request is not signed
 * @throws Error when the connection fails
 */
export async function callEndpoint(
  emulator: string,
  url: string,
  { path, body, headers = {}, method = body === undefined ? 'GET' : 'POST' }: EndpointRequest,
  credentials: Credentials | undefined,
): Promise<EndpointAnswer> {
  const [, api, stage] = /^https?:\/\/(\w+)\.execute-api\.[^/]+(.*)$/.exec(url) ?? [];
  if (api === undefined) throw new Error(`${url} is no URL of an API`);
  // Not a name that a machine has to know: the connection goes to the emulator, as DNS would have it.
  const address = new URL(`http://${api}.execute-api.localhost:${new URL(emulator).port}${stage}${path}`);
  const signer = new AwsV4Signer({
    method,
    url: address.href,
    headers: { ...headers, host: address.host },
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
    accessKeyId: 'none',
    secretAccessKey: 'none',
    ...credentials,
    service: 'execute-api',
    region: MINISTACK_REGION,
  });
  const signed = credentials === undefined ? headers : Object.fromEntries((await signer.sign()).headers);
  return new Promise((resolve, reject) => {
    const call = request(
      address,
      {
        method,
        headers: { ...signed, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
        lookup: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const bytes = Buffer.concat(chunks);
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: bytes,
            json: () => JSON.parse(bytes.toString()) as unknown,
          });
        });
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}
