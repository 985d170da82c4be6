/** The real bundles of router and predict in their own processes, Lambda's API and the GPU on loopback, which fail as they are told to. */
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { RuntimeCommand } from '../../../lib/local/execution-environment.js';
import type { PoolInvocation } from '../../../lib/local/function-pool.js';
import { awsError } from '../aws-answers.js';
import { signingDate } from '../aws-signature.js';
import type { FaultyService, ServiceFault } from '../faulty-service.js';
import { LOOPBACK_CREDENTIALS, LoopbackFunction, startInvokeApi } from '../loopback-lambda.js';
import { prepareFunction } from '../predict-function.js';
import { isAsynchronous, startTritonOnSageMaker } from '../triton-on-sagemaker.js';
import type { DenseModel } from './dense-model.js';
import { FaultyQueue } from './faulty-queue.js';

export interface NamedFault {
  readonly name: string;
  readonly fault: ServiceFault;
}

/** What becomes of a call that is about the request of that number; -1 where it does not say. */
export type FaultOf = (request: number) => NamedFault | undefined;

export interface FaultyEndpointOptions {
  readonly model: DenseModel;
  readonly lambdaFault: FaultOf;
  readonly gpuFault: FaultOf;
  readonly policy: object;
  /** Environments of the router. */
  readonly routers: number;
  /** Environments of predict; calls beyond are throttled. */
  readonly reservedConcurrency: number;
  /** Whether requests that only the GPU could answer become jobs. Default false. */
  readonly hasQueue?: boolean;
  /** Runs both functions, with a heap of so many MiB. Default: the runtime client of the local host. */
  readonly runtime?: (heapMiB: number) => RuntimeCommand;
}

export interface FaultyEndpoint {
  readonly router: LoopbackFunction;
  readonly lambda: FaultyService;
  readonly gpu: FaultyService;
  readonly queue: FaultyQueue | undefined;
  /** What went wrong in truth, with how often. */
  readonly injected: ReadonlyMap<string, number>;
  /** Of the model, by both targets and the queue; what a process began counts. */
  executions(): number;
  close(): Promise<void>;
}

const ROUTER_MIB = 1024;
/** Less than Lambda has, so that a heap is soon full. */
const PREDICT_MIB = 64;
const MAX_BODY_BYTES = 6 * 1024 * 1024;
/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html: a request has to arrive within five minutes of its time stamp. */
const MAX_SKEW_MS = 5 * 60_000;

export async function startFaultyEndpoint(options: FaultyEndpointOptions): Promise<FaultyEndpoint> {
  const { model, runtime } = options;
  const prepared = await prepareFunction();
  const injected = new Map<string, number>();
  const count = (what: string) => injected.set(what, (injected.get(what) ?? 0) + 1);
  const at = (memoryMiB: number) => (runtime === undefined ? {} : { runtime: runtime(Math.floor(memoryMiB * 0.9)) });
  const predict = new LoopbackFunction({
    name: 'predict',
    codeFolder: join(prepared.folder, 'task/predict'),
    optFolder: join(prepared.folder, 'opt'),
    environment: { CDK_ONNX_ARTIFACT: model.lambda.folder, NODE_OPTIONS: preload('predict-probe.cjs') },
    maxConcurrency: options.reservedConcurrency,
    reservedConcurrency: options.reservedConcurrency,
    memoryMiB: PREDICT_MIB,
    timeoutSeconds: 2,
    ...at(PREDICT_MIB),
  });
  let invocations = 0;
  predict.onEnd = (outcome) => {
    invocations += 1;
    const what = endOf(outcome);
    if (what !== undefined) count(what);
  };
  const lambda = await startInvokeApi(predict, async ({ request }) => {
    const fault = skewFault(request) ?? options.lambdaFault(await requestNumber(request));
    if (fault !== undefined) count(`Lambda: ${fault.name}`);
    else if (predict.isThrottled) count('Lambda: throttled by reserved concurrency');
    return fault?.fault;
  });
  const queue = options.hasQueue === true ? await FaultyQueue.start(model.gpu, count) : undefined;
  const gpu = await startTritonOnSageMaker({
    endpointName: 'gpu',
    model: model.gpu.model,
    signature: model.gpu.manifest.signature,
    ...(queue === undefined ? {} : { queue: queue.queue }),
    fault: async (call) => {
      const { request } = call;
      if (isAsynchronous(request)) return (skewFault(request) ?? queue?.submissionFault(call))?.fault;
      const fault = skewFault(request) ?? sizeFault(request) ?? options.gpuFault(await requestNumber(request));
      if (fault !== undefined) count(`GPU: ${fault.name}`);
      return fault?.fault;
    },
  });
  const router = new LoopbackFunction({
    name: 'router',
    codeFolder: join(prepared.folder, 'task/router'),
    maxConcurrency: options.routers,
    memoryMiB: ROUTER_MIB,
    timeoutSeconds: 30,
    environment: {
      ...LOOPBACK_CREDENTIALS,
      AWS_ENDPOINT_URL_LAMBDA: lambda.url,
      AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: gpu.url,
      CDK_ONNX_PREDICT_FUNCTION: predict.aliasArn,
      CDK_ONNX_GPU_ENDPOINT: 'gpu',
      CDK_ONNX_MODEL: model.lambda.manifest.name,
      CDK_ONNX_MODEL_VERSION: String(model.lambda.manifest.modelVersion),
      CDK_ONNX_MODEL_INTERFACE: model.lambda.folder,
      ...queue?.environment,
      CDK_ONNX_ROUTER_POLICY: JSON.stringify(options.policy),
      NODE_OPTIONS: preload('router-probe.cjs'),
    },
    ...at(ROUTER_MIB),
  });
  return {
    router,
    lambda,
    gpu,
    queue,
    injected,
    executions: () => invocations + gpu.worked(),
    close: async () => {
      await router.close();
      await predict.close();
      await Promise.all([lambda, gpu, queue].map((each) => each?.close()));
      prepared.remove();
    },
  };
}

function preload(name: string): string {
  return `--require ${JSON.stringify(join(import.meta.dirname, name))}`;
}

/** As AWS refuses a signature of another time. */
function skewFault({ headers }: IncomingMessage): NamedFault | undefined {
  const skew = Math.abs(signingDate(String(headers['x-amz-date'])).getTime() - Date.now());
  if (skew <= MAX_SKEW_MS) return undefined;
  return { name: 'signature of another time', fault: awsError(403, 'InvalidSignatureException') };
}

function sizeFault({ headers }: IncomingMessage): NamedFault | undefined {
  if (Number(headers['content-length']) <= MAX_BODY_BYTES) return undefined;
  return { name: 'body too large', fault: { kind: 'answer', status: 413 } };
}

/** An end of a process that was none of its own doing, or undefined. */
function endOf(outcome: PoolInvocation['outcome']): string | undefined {
  switch (outcome.kind) {
    case 'exit':
      return `process: ${outcome.reason}`;
    case 'timeout':
      return 'process: ended at its timeout';
    case 'init-failed':
      return 'process: did not start';
    default:
      return undefined;
  }
}

/** Which request a call is about, from the beginning of its body, which is still there to be read afterwards; -1 where it does not say. */
async function requestNumber(request: IncomingMessage): Promise<number> {
  const text = await beginningOf(request);
  return Number(/request-(\d+)/.exec(text)?.[1] ?? -1);
}

const ENOUGH = 2_000;

function beginningOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    const look = () => {
      const chunk: Buffer | null = request.read();
      if (chunk !== null) request.unshift(chunk);
      else if (!request.readableEnded && !request.destroyed) return;
      request.off('readable', look).off('close', look);
      resolve(chunk?.toString('latin1', 0, ENOUGH) ?? '');
    };
    request.on('readable', look).on('close', look);
    look();
  });
}
