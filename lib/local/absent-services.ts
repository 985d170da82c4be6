/**
 * Services of AWS that do not exist on this machine, SageMaker among them: a function that asks for one, with the credentials that it has
 * here, is told so in the service's own way, and nothing leaves the machine.
 */
import type { IncomingMessage } from 'node:http';
import type { HttpAnswer } from './http-answer.js';
import { LOCAL_CREDENTIALS } from './local-s3.js';

/** Of a signature, in a header or in the query: whose it is, and for which service. https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html */
const SCOPE = /^(?:AWS4-HMAC-SHA256 Credential=)?(?<key>[^/]+)\/\d+\/[^/]+\/(?<service>[^/]+)\/aws4_request/;
const CODE = 'ServiceUnavailable';

/** The answer, or undefined for a request that is for none of them. */
export function answerAbsentService({ headers, url = '/' }: IncomingMessage): HttpAnswer | undefined {
  const presigned = new URLSearchParams(url.split('?')[1]).get('X-Amz-Credential');
  const { key, service } = SCOPE.exec(headers.authorization ?? presigned ?? '')?.groups ?? {};
  if (service === undefined || key !== LOCAL_CREDENTIALS.AWS_ACCESS_KEY_ID) return undefined;
  const message = `There is no ${service} on this machine.`;
  if (service === 's3') {
    const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${CODE}</Code><Message>${message}</Message></Error>`;
    return { status: 503, headers: { 'content-type': 'application/xml' }, body: Buffer.from(body) };
  }
  return {
    status: 503,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': CODE },
    body: Buffer.from(JSON.stringify({ Message: message })),
  };
}
