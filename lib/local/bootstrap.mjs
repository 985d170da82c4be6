/**
 * What runs inside an execution environment: Lambda's Node.js runtime client in small. It loads the handler, then asks the Runtime API
 * for one invocation after the other. Plain JavaScript, so that nothing stands between Node.js and the function: no loader, no hooks.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
import { existsSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';

const API = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;
/** Exit codes of Lambda's own client. */
const EXIT = { initError: 1, unhandledRejection: 128, uncaughtException: 129 };
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** @param {'GET' | 'POST'} method @param {string} path @param {string} [body] @param {Record<string, string>} [headers] */
function call(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const sent = request(`${API}${path}`, {
      method,
      agent,
      headers: { 'content-type': 'application/json', ...headers },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const chunks = [];
      response.on('error', reject);
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    sent.end(body);
  });
}

/** @param {unknown} error @param {string} [type] default: the error's own name */
function describeError(error, type) {
  process.stderr.write(`${inspect(error)}\n`);
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { errorType: type ?? name, errorMessage: message, trace: (stack ?? '').split('\n') };
}

/** @param {string} path @param {unknown} error @param {string} [type] default: the error's own name */
async function reportError(path, error, type) {
  const description = describeError(error, type);
  await call('POST', path, JSON.stringify(description), {
    'lambda-runtime-function-error-type': description.errorType,
  });
}

/** Marks a handler that writes its answer. */
const STREAMING = Symbol('streaming');
const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END = Buffer.alloc(8);

/** What Lambda's runtime gives functions for streaming. https://docs.aws.amazon.com/lambda/latest/dg/response-streaming-tutorial.html */
globalThis.awslambda = {
  streamifyResponse(handler) {
    handler[STREAMING] = true;
    return handler;
  },
  HttpResponseStream: {
    /** The prelude goes ahead of the first thing that is written. */
    from(stream, prelude) {
      stream.setContentType(PRELUDE_TYPE);
      stream.beforeFirstWrite = () => Buffer.concat([Buffer.from(JSON.stringify(prelude)), PRELUDE_END]);
      return stream;
    },
  },
};

/** Of the answer that is being streamed. */
let openStream;

/** The request to the Runtime API that carries an answer while it is written; errors that come late travel in its trailers. */
function openResponse(id) {
  const sent = request(`${API}/invocation/${id}/response`, {
    method: 'POST',
    agent,
    headers: {
      'content-type': 'application/octet-stream',
      'lambda-runtime-function-response-mode': 'streaming',
      'transfer-encoding': 'chunked',
      trailer: 'lambda-runtime-function-error-type, lambda-runtime-function-error-body',
    },
  });
  const accepted = new Promise((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (response) => response.resume().on('end', resolve).on('error', reject));
  });
  // Nobody waits for it while the handler writes.
  accepted.catch(() => undefined);
  sent.setContentType = (type) => sent.setHeader('content-type', type);
  const write = sent.write.bind(sent);
  sent.write = (...chunk) => {
    if (sent.beforeFirstWrite !== undefined) write(sent.beforeFirstWrite());
    sent.beforeFirstWrite = undefined;
    return write(...chunk);
  };
  return { stream: sent, accepted };
}

/** @param {(event: unknown, stream: unknown, context: unknown) => unknown} handler */
async function answerStreaming(handler, id, next) {
  const { stream, accepted } = openResponse(id);
  openStream = stream;
  try {
    await handler(JSON.parse(next.text), stream, contextOf(next.headers));
  } catch (error) {
    const description = describeError(error);
    if (!stream.headersSent) {
      stream.destroy();
      await call('POST', `/invocation/${id}/error`, JSON.stringify(description), {
        'lambda-runtime-function-error-type': description.errorType,
      });
      openStream = undefined;
      return;
    }
    stream.addTrailers({
      'lambda-runtime-function-error-type': description.errorType,
      'lambda-runtime-function-error-body': Buffer.from(JSON.stringify(description)).toString('base64'),
    });
  }
  if (!stream.writableEnded) stream.end();
  await accepted;
  openStream = undefined;
}

/** `index.handler`: export `handler` of index.js, index.mjs or index.cjs in the task's root. */
async function loadHandler() {
  const [, module, exported] = /^(.+)\.([^./]+)$/.exec(process.env._HANDLER ?? '') ?? [];
  if (module === undefined) throw new Error(`'${process.env._HANDLER}' is no handler of the form file.export`);
  const base = join(process.env.LAMBDA_TASK_ROOT ?? '', module);
  const file = [`${base}.js`, `${base}.mjs`, `${base}.cjs`].find((path) => existsSync(path));
  if (file === undefined) throw named('Runtime.ImportModuleError', `There is no ${base}.js, .mjs or .cjs`);
  const loaded = await load(file);
  const handler = loaded[exported] ?? loaded.default?.[exported];
  if (typeof handler !== 'function')
    throw named('Runtime.HandlerNotFound', `${file} exports no function '${exported}'`);
  return handler;
}

/** CommonJS is required, so that NODE_PATH finds what layers bring; ECMAScript modules are imported. */
async function load(file) {
  if (!file.endsWith('.mjs')) {
    try {
      return createRequire(file)(file);
    } catch (error) {
      const isModule = ['ERR_REQUIRE_ESM', 'ERR_REQUIRE_ASYNC_MODULE'].includes(error?.code) || isModuleSyntax(error);
      if (!isModule) throw error;
    }
  }
  return import(pathToFileURL(file).href);
}

/** A .js file with `import` or `export` in a folder without a package.json: Node.js 20 calls it a syntax error. */
function isModuleSyntax(error) {
  return (
    error instanceof SyntaxError &&
    /(import statement outside a module|Unexpected token 'export'|import\.meta)/.test(error.message)
  );
}

function named(name, message) {
  return Object.assign(new Error(message), { name });
}

/** @param {Record<string, string>} headers of the invocation */
function contextOf(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  return {
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

let requestId;
/** An error that nobody caught ends the environment, as on Lambda; the invocation under way fails with it. */
function endWith(error, type, exitCode) {
  const path = requestId === undefined ? '/init/error' : `/invocation/${requestId}/error`;
  // It holds the one connection.
  openStream?.destroy();
  reportError(path, error, type).finally(() => process.exit(exitCode));
}
process.on('uncaughtException', (error) => endWith(error, 'Runtime.UncaughtException', EXIT.uncaughtException));
process.on('unhandledRejection', (error) =>
  endWith(error, 'Runtime.UnhandledPromiseRejection', EXIT.unhandledRejection),
);

let handler;
try {
  handler = await loadHandler();
} catch (error) {
  await reportError('/init/error', error);
  process.exit(EXIT.initError);
}

for (;;) {
  let next;
  try {
    next = await call('GET', '/invocation/next');
  } catch {
    // The local host is gone, and this environment with it.
    process.exit(0);
  }
  requestId = next.headers['lambda-runtime-aws-request-id'];
  process.env._X_AMZN_TRACE_ID = next.headers['lambda-runtime-trace-id'];
  if (handler[STREAMING]) {
    await answerStreaming(handler, requestId, next);
    requestId = undefined;
    continue;
  }
  let answer;
  try {
    answer = JSON.stringify((await handler(JSON.parse(next.text), contextOf(next.headers))) ?? null);
  } catch (error) {
    await reportError(`/invocation/${requestId}/error`, error);
    requestId = undefined;
    continue;
  }
  await call('POST', `/invocation/${requestId}/response`, answer);
  requestId = undefined;
}
