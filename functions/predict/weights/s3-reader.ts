/** Reads ranges of one object in S3 over a pool of connections that are kept open. */
import type { Agent, IncomingMessage, RequestOptions } from 'node:http';
import { AwsV4Signer } from 'aws4fetch';
import type { ByteRange } from './range-plan.js';
import { errorFromAnswer, sizeError, TransientError } from './s3-error.js';
import type { S3Object } from './s3-object.js';

export interface S3ReaderOptions {
  readonly object: S3Object;
  /** The object's size, bytes. */
  readonly bytes: number;
  /** At most so many at once. */
  readonly connections: number;
}

type Request = typeof import('node:http').request;

export class S3Reader {
  private constructor(
    private readonly options: S3ReaderOptions,
    private readonly request: Request,
    private readonly agent: Agent,
  ) {}

  static async open(options: S3ReaderOptions): Promise<S3Reader> {
    // Imported here: a function whose model is all in its layer needs neither.
    const { request, Agent } = await (options.object.url.protocol === 'https:'
      ? import('node:https')
      : import('node:http'));
    return new S3Reader(options, request as Request, new Agent({ keepAlive: true, maxSockets: options.connections }));
  }

  /**
   * The bytes of a range, which the caller has to read or destroy. Its stream may end early with an error, as the connection does.
   *
   * @throws TransientError for what may be over in a moment; ArtifactError `WEIGHTS_…` for what lasts
   */
  async get({ start, end }: ByteRange, signal: AbortSignal): Promise<IncomingMessage> {
    const { object, bytes } = this.options;
    const range = `bytes=${start}-${end - 1}`;
    const response = await this.send({ range }, signal);
    if (response.statusCode !== 206 && response.statusCode !== 200) throw await errorFromAnswer(object, response);
    const fault = contentFault(response, { start, end }, bytes);
    if (fault === undefined) return response;
    response.destroy();
    throw sizeError(`${object.uri} ${fault}; the manifest says ${bytes} bytes`);
  }

  close(): void {
    this.agent.destroy();
  }

  private async send(headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<IncomingMessage> {
    const { url, region, credentials } = this.options.object;
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    const signed = await new AwsV4Signer({
      method: 'GET',
      url: url.href,
      headers: { ...headers },
      service: 's3',
      region,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    }).sign();
    const options: RequestOptions = { agent: this.agent, headers: Object.fromEntries(signed.headers), signal };
    return await new Promise<IncomingMessage>((resolve, reject) => {
      this.request(signed.url, options)
        .once('response', resolve)
        .on('error', (cause) => reject(new TransientError(`${url.host}: ${cause.message}`, { cause })))
        .end();
    });
  }
}

/** What is wrong with the content that an answer announces. */
function contentFault(
  { statusCode, headers }: IncomingMessage,
  { start, end }: ByteRange,
  bytes: number,
): string | undefined {
  if (statusCode === 200) {
    const length = Number(headers['content-length']);
    if (length !== bytes) return `has ${length} bytes`;
    return start === 0 && end === bytes ? undefined : 'came whole where a part was asked for';
  }
  const [, from, to, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers['content-range'] ?? '') ?? [];
  if (total !== undefined && Number(total) !== bytes) return `has ${total} bytes`;
  if (Number(from) === start && Number(to) === end - 1) return undefined;
  return `answered ${JSON.stringify(headers['content-range'])} where bytes ${start}-${end - 1} were asked for`;
}
