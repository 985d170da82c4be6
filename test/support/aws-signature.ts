/** What AWS's own signer writes for a request. */
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { SignatureV4 } from '@smithy/signature-v4';

/** What the signer asks of a hash. */
export class Sha256 {
  private readonly hash: Hash | Hmac;

  constructor(secret?: unknown) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string | Uint8Array);
  }

  update(data: string | Uint8Array): void {
    this.hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.hash.digest();
  }

  reset(): void {
    throw new Error('not needed');
  }
}

export interface SignatureOptions {
  readonly service: string;
  readonly region: string;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken: string;
  };
  readonly body: string | Uint8Array;
}

/** The header Authorization that belongs to a request as it came, signed at the time that it names; without spaces. */
export async function expectedAuthorization(request: IncomingMessage, options: SignatureOptions): Promise<string> {
  const { service, region, credentials, body } = options;
  const signer = new SignatureV4({ service, region, credentials, sha256: Sha256 });
  const { headers } = await signer.sign(
    {
      method: request.method ?? '',
      protocol: 'http:',
      hostname: '127.0.0.1',
      path: request.url ?? '',
      headers: signedHeaders(request),
      body,
    },
    { signingDate: signingDate(String(request.headers['x-amz-date'])) },
  );
  return withoutSpaces(headers.authorization);
}

export function withoutSpaces(text: string | undefined): string {
  return (text ?? '').replaceAll(/\s/g, '');
}

/** Those that the request says it signed. */
function signedHeaders({ headers }: IncomingMessage): Record<string, string> {
  const [, names = ''] = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '') ?? [];
  return Object.fromEntries(names.split(';').map((name) => [name, String(headers[name])]));
}

/** `20261201T104500Z` */
export function signingDate(text: string): Date {
  return new Date(text.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'));
}
