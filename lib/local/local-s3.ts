/** S3 in small, on loopback: GetObject, with ranges, and HeadObject for the file assets of an assembly. */
import { createReadStream, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { parseRange } from './http-range.js';

/** Credentials for this server and nothing else. */
export const LOCAL_CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'AKIALOCALHOST',
  AWS_SECRET_ACCESS_KEY: 'local',
  AWS_SESSION_TOKEN: 'local',
} as const;

const READ_BYTES = 256 * 1024;

export interface LocalS3 {
  /** For AWS_ENDPOINT_URL_S3; asked by path: `/bucket/key`. */
  readonly url: string;
  close(): void;
}

/** @param objects absolute paths by `bucket/key` */
export async function startLocalS3(objects: ReadonlyMap<string, string>): Promise<LocalS3> {
  const server = createServer((request, response) => {
    // A client that goes away in the middle of an object is no fault of ours.
    answerObjectRequest(request, response, objects).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** As S3 answers: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html. Of a signature only the key is looked at. */
async function answerObjectRequest(
  request: IncomingMessage,
  response: ServerResponse,
  objects: ReadonlyMap<string, string>,
): Promise<void> {
  request.resume();
  const { method, headers } = request;
  const fail = (status: number, code: string, message: string, extra: Readonly<Record<string, string>> = {}) => {
    const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
    response.writeHead(status, { 'content-type': 'application/xml', 'content-length': body.length, ...extra });
    response.end(method === 'HEAD' ? undefined : body);
  };
  if (method !== 'GET' && method !== 'HEAD') {
    return fail(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.');
  }
  const credential = /^AWS4-HMAC-SHA256 Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1];
  if (credential !== LOCAL_CREDENTIALS.AWS_ACCESS_KEY_ID) return fail(403, 'AccessDenied', 'Access Denied');
  const file = objects.get(objectName(request.url ?? '/'));
  const stats = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false });
  if (file === undefined || stats === undefined) {
    return fail(404, 'NoSuchKey', 'The specified key does not exist.');
  }
  const range = parseRange(headers.range, stats.size);
  if (range === 'unsatisfiable') {
    return fail(416, 'InvalidRange', 'The requested range is not satisfiable', {
      'content-range': `bytes */${stats.size}`,
    });
  }
  const { start, end } = range ?? { start: 0, end: stats.size };
  response.writeHead(range === undefined ? 200 : 206, {
    'accept-ranges': 'bytes',
    'content-length': end - start,
    'content-type': 'binary/octet-stream',
    etag: `"${stats.size.toString(16)}-${Math.round(stats.mtimeMs).toString(16)}"`,
    'last-modified': stats.mtime.toUTCString(),
    ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${stats.size}` }),
  });
  if (method === 'HEAD' || start === end) response.end();
  else await pipeline(createReadStream(file, { start, end: end - 1, highWaterMark: READ_BYTES }), response);
}

/** `bucket/key` of a path, without the query. */
function objectName(target: string): string {
  const [path = ''] = target.split('?');
  try {
    return decodeURIComponent(path.slice(1));
  } catch {
    return path.slice(1);
  }
}
