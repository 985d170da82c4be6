/** The real bundles of router and predict in their own processes, Lambda's API and Triton on SageMaker on loopback, and faults where a test wants them. */
import { join } from 'node:path';
import type { FaultyService, SeenCall, ServiceFault } from './faulty-service.js';
import { LOOPBACK_CREDENTIALS, LoopbackFunction, startInvokeApi } from './loopback-lambda.js';
import { type FunctionResult, httpEvent, type PreparedFunction, prepareFunction } from './predict-function.js';
import type { ServedArtifact } from './served-artifact.js';
import { startTritonOnSageMaker } from './triton-on-sagemaker.js';

type FaultOf = (call: SeenCall) => ServiceFault | undefined;

export interface RouterOptions {
  /** What differs from the default. */
  readonly policy?: object;
  readonly environment?: Readonly<Record<string, string>>;
  /** Default: the one that runs the tests. */
  readonly node?: string;
  readonly timeoutSeconds?: number;
}

export class RouterEndpoint {
  /** What becomes of calls; undefined: nothing bad. */
  lambdaFault: FaultOf | undefined;
  gpuFault: FaultOf | undefined;
  private readonly routers: LoopbackFunction[] = [];

  private constructor(
    readonly artifact: ServedArtifact,
    private readonly prepared: PreparedFunction,
    readonly predict: LoopbackFunction,
    private readonly services: { lambda?: FaultyService; gpu?: FaultyService } = {},
  ) {}

  /** @param startGpu in place of the stand-in for Triton: something else behind SageMaker's InvokeEndpoint, as the endpoint `gpu` */
  static async start(
    artifact: ServedArtifact,
    startGpu: (fault: FaultOf) => Promise<FaultyService> = (fault) =>
      startTritonOnSageMaker({
        endpointName: 'gpu',
        model: artifact.model,
        signature: artifact.manifest.signature,
        fault,
      }),
  ): Promise<RouterEndpoint> {
    const prepared = await prepareFunction();
    const predict = new LoopbackFunction({
      name: 'predict',
      codeFolder: join(prepared.folder, 'task/predict'),
      optFolder: join(prepared.folder, 'opt'),
      environment: { CDK_ONNX_ARTIFACT: artifact.folder },
    });
    const endpoint = new RouterEndpoint(artifact, prepared, predict);
    endpoint.services.lambda = await startInvokeApi(predict, (call) => endpoint.lambdaFault?.(call));
    endpoint.services.gpu = await startGpu((call) => endpoint.gpuFault?.(call));
    return endpoint;
  }

  get lambda(): FaultyService {
    return started(this.services.lambda);
  }

  get gpu(): FaultyService {
    return started(this.services.gpu);
  }

  /** One environment of the router, which serves one request after the other. */
  router({ policy, environment = {}, node, timeoutSeconds = 30 }: RouterOptions = {}): LoopbackFunction {
    const router = new LoopbackFunction({
      name: 'router',
      codeFolder: join(this.prepared.folder, 'task/router'),
      maxConcurrency: 1,
      memoryMiB: 1024,
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
        ...(policy === undefined ? {} : { CDK_ONNX_ROUTER_POLICY: JSON.stringify(policy) }),
        ...environment,
      },
    });
    this.routers.push(router);
    return router;
  }

  /** How many calls each target has seen so far. */
  get asked(): { readonly lambda: number; readonly gpu: number } {
    return { lambda: this.lambda.calls.length, gpu: this.gpu.calls.length };
  }

  async close(): Promise<void> {
    await Promise.all([...this.routers, this.predict].map((each) => each.close()));
    await Promise.all([this.lambda.close(), this.gpu.close()]);
    this.prepared.remove();
  }
}

function started(service: FaultyService | undefined): FaultyService {
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
