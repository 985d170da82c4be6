/** The real bundles of router and predict in their own processes, Lambda's API and Triton on SageMaker on loopback, and faults where a test wants them. */
import { join } from 'node:path';
import type { FaultyService, SeenCall, ServiceFault } from './faulty-service.js';
import { LOOPBACK_CREDENTIALS, LoopbackFunction, startInvokeApi } from './loopback-lambda.js';
import { LoopbackS3 } from './loopback-s3.js';
import { type FunctionResult, httpEvent, type PreparedFunction, prepareFunction } from './predict-function.js';
import { LoopbackQueue } from './sagemaker-queue.js';
import type { ServedArtifact } from './served-artifact.js';
import { isAsynchronous, startTritonOnSageMaker } from './triton-on-sagemaker.js';

const QUEUE_BUCKET = 'gpu-queue-bucket';

type FaultOf = (call: SeenCall) => ServiceFault | undefined;

export interface RouterOptions {
  /** What differs from the default. */
  readonly policy?: object;
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether it has a queue. Default false. */
  readonly hasQueue?: boolean;
  /** Default: the one that runs the tests. */
  readonly node?: string;
  readonly timeoutSeconds?: number;
  /** Default 1024. */
  readonly memoryMiB?: number;
}

export class RouterEndpoint {
  /** What becomes of calls; undefined: nothing bad. */
  lambdaFault: FaultOf | undefined;
  gpuFault: FaultOf | undefined;
  queueFault: FaultOf | undefined;
  s3Fault: FaultOf | undefined;
  private readonly routers: LoopbackFunction[] = [];

  private constructor(
    readonly artifact: ServedArtifact,
    private readonly prepared: PreparedFunction,
    readonly predict: LoopbackFunction,
    private readonly services: {
      lambda?: FaultyService;
      gpu?: FaultyService;
      queue?: LoopbackQueue;
      s3?: LoopbackS3;
    } = {},
  ) {}

  /** @param startGpu in place of the stand-in for Triton: something else behind SageMaker's InvokeEndpoint, as the endpoint `gpu` */
  static async start(
    artifact: ServedArtifact,
    startGpu: (fault: FaultOf, queue: LoopbackQueue) => Promise<FaultyService> = (fault, queue) =>
      startTritonOnSageMaker({
        endpointName: 'gpu',
        model: artifact.model,
        signature: artifact.manifest.signature,
        queue,
        fault,
      }),
  ): Promise<RouterEndpoint> {
    const prepared = await prepareFunction();
    const predict = new LoopbackFunction({
      name: 'predict',
      codeFolder: join(prepared.folder, 'task/predict'),
      optFolder: join(prepared.folder, 'opt'),
      environment: {
        CDK_ONNX_ARTIFACT: artifact.folder,
        // As InferenceApi tells it, where there is a queue.
        CDK_ONNX_MODELS: JSON.stringify([
          { name: artifact.manifest.name, version: artifact.manifest.modelVersion, routing: 'jobs' },
        ]),
      },
    });
    const endpoint = new RouterEndpoint(artifact, prepared, predict);
    endpoint.services.lambda = await startInvokeApi(predict, (call) => endpoint.lambdaFault?.(call));
    const s3 = await LoopbackS3.start({
      bucket: QUEUE_BUCKET,
      allows: { put: ['requests/', 'jobs/'], get: ['requests/', 'jobs/', 'results/', 'failures/'] },
      fault: (call) => endpoint.s3Fault?.(call),
    });
    const { model, manifest } = artifact;
    const served = { model, signature: manifest.signature };
    const queue = await LoopbackQueue.open({ endpointName: 'gpu-queue', bucket: QUEUE_BUCKET, s3, ...served });
    endpoint.services.s3 = s3;
    endpoint.services.queue = queue;
    endpoint.services.gpu = await startGpu(
      (call) => (isAsynchronous(call.request) ? endpoint.queueFault?.(call) : endpoint.gpuFault?.(call)),
      queue,
    );
    return endpoint;
  }

  get lambda(): FaultyService {
    return started(this.services.lambda);
  }

  /** SageMaker's runtime: both kinds of endpoints. */
  get gpu(): FaultyService {
    return started(this.services.gpu);
  }

  get queue(): LoopbackQueue {
    return started(this.services.queue);
  }

  get s3(): LoopbackS3 {
    return started(this.services.s3);
  }

  /** One environment of the router, which serves one request after the other. */
  router({
    policy,
    environment = {},
    node,
    timeoutSeconds = 30,
    hasQueue = false,
    memoryMiB = 1024,
  }: RouterOptions = {}): LoopbackFunction {
    const router = new LoopbackFunction({
      name: 'router',
      codeFolder: join(this.prepared.folder, 'task/router'),
      maxConcurrency: 1,
      memoryMiB,
      timeoutSeconds,
      ...(node === undefined ? {} : { node }),
      environment: {
        ...LOOPBACK_CREDENTIALS,
        AWS_ENDPOINT_URL_LAMBDA: this.lambda.url,
        AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: this.gpu.url,
        CDK_ONNX_PREDICT_FUNCTION: this.predict.aliasArn,
        CDK_ONNX_GPU_ENDPOINT: 'gpu',
        CDK_ONNX_MODEL: this.artifact.manifest.name,
        CDK_ONNX_MODEL_VERSION: String(this.artifact.manifest.modelVersion),
        ...(hasQueue ? this.queueEnvironment() : {}),
        ...(policy === undefined ? {} : { CDK_ONNX_ROUTER_POLICY: JSON.stringify(policy) }),
        ...environment,
      },
    });
    this.routers.push(router);
    return router;
  }

  private queueEnvironment(): Readonly<Record<string, string>> {
    return {
      AWS_ENDPOINT_URL_S3: this.s3.service.url,
      CDK_ONNX_GPU_QUEUE_ENDPOINT: 'gpu-queue',
      CDK_ONNX_GPU_QUEUE_BUCKET: QUEUE_BUCKET,
      CDK_ONNX_JOB_SECRET: 'arn:aws:cloudformation:eu-west-1:000000000000:stack/loopback/0',
    };
  }

  /** How many calls each target has seen so far. */
  get asked(): { readonly lambda: number; readonly gpu: number; readonly queue: number } {
    const queue = this.gpu.calls.filter(({ request }) => isAsynchronous(request)).length;
    return { lambda: this.lambda.calls.length, gpu: this.gpu.calls.length - queue, queue };
  }

  async close(): Promise<void> {
    await Promise.all([...this.routers, this.predict].map((each) => each.close()));
    await Promise.all([this.lambda, this.gpu, this.queue, this.s3.service].map((each) => each.close()));
    this.prepared.remove();
  }
}

function started<Service>(service: Service | undefined): Service {
  if (service === undefined) throw new Error('the service has not started');
  return service;
}

/** Through the router, as API Gateway sends it. */
export function post(
  router: LoopbackFunction,
  path: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<FunctionResult> {
  return router.invoke<FunctionResult>(httpEvent({ method: 'POST', path, body, headers }));
}

export function get(router: LoopbackFunction, path: string): Promise<FunctionResult> {
  return router.invoke<FunctionResult>(httpEvent({ method: 'GET', path }));
}
