import type { Construct } from 'constructs';
import { AsynchronousGpuEndpoint } from './asynchronous-gpu-endpoint.js';
import type { AsynchronousGpuEndpointProps, RealTimeGpuEndpointProps } from './gpu-endpoint-options.js';
import { RealTimeGpuEndpoint } from './real-time-gpu-endpoint.js';

/**
 * A model on a GPU: Triton on SageMaker, which speaks the Open Inference Protocol V2, in JSON and in binary, to whoever may invoke it.
 *
 * @example
 * GpuEndpoint.realTime(this, 'Gpu', { model: Model.fromDirectory('models/faces'), instanceType: 'ml.g6.xlarge' });
 */
export class GpuEndpoint {
  /**
   * An endpoint that answers at once, and always has an instance that is paid.
   *
   * @throws SynthesisError with every fault of the properties, or because the model cannot be built or loaded
   */
  static realTime(scope: Construct, id: string, props: RealTimeGpuEndpointProps): RealTimeGpuEndpoint {
    return new RealTimeGpuEndpoint(scope, id, props);
  }

  /**
   * An endpoint with a queue: `InvokeEndpointAsync` names an object with the request, and the answer becomes another one. Without requests
   * there is no instance, and nothing to pay but S3.
   *
   * @throws SynthesisError with every fault of the properties, or because the model cannot be built or loaded
   */
  static asynchronous(scope: Construct, id: string, props: AsynchronousGpuEndpointProps): AsynchronousGpuEndpoint {
    return new AsynchronousGpuEndpoint(scope, id, props);
  }

  private constructor() {}
}
