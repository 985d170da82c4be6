/**
 * Stands in for the native part of aws-lambda-ric, rapid-client.node, which takes minutes to compile: the same three calls to the Runtime
 * API over HTTP. All that runs between them and the handler is the real client.
 */
const { Agent, request } = require('node:http');

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const PREFIX = '/2018-06-01/runtime/invocation';
// One connection: an answer is on its way before the next invocation is asked for.
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
/** What the native client makes an object of. */
const HEADERS = ['aws-request-id', 'trace-id', 'invoked-function-arn', 'client-context', 'cognito-identity'];

function call(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, agent, method, path: `${PREFIX}${path}`, headers }, (response) => {
      const chunks = [];
      response.on('error', reject);
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ headers: response.headers, text: Buffer.concat(chunks).toString('utf8') }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const post = (path, body, headers) =>
  call('POST', path, body, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });

module.exports = {
  async next() {
    const { headers, text } = await call('GET', '/next');
    const known = HEADERS.map((name) => [`lambda-runtime-${name}`, headers[`lambda-runtime-${name}`]]);
    return {
      bodyJson: text,
      headers: {
        ...Object.fromEntries(known.filter(([, value]) => value !== undefined)),
        'lambda-runtime-deadline-ms': Number(headers['lambda-runtime-deadline-ms']),
      },
    };
  },
  done(id, body) {
    void post(`/${id}/response`, body);
  },
  error(id, body, xRayCause) {
    void post(`/${id}/error`, body, { 'lambda-runtime-function-xray-error-cause': xRayCause });
  },
};
