/** What no router can do without: the event becomes a payload, which is posted as it is, and the answer goes back. */
import { Agent, request } from 'node:http';

const agent = new Agent({ keepAlive: true });
const url = `${process.env.AWS_ENDPOINT_URL_LAMBDA}/2015-03-31/functions/predict/invocations`;

export function handler(event) {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
      (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString('utf8'))));
      },
    );
    sent.on('error', reject);
    sent.end(JSON.stringify(event));
  });
}
