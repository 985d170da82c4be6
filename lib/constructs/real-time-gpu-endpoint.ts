import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import { Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { GpuEndpointBase, type GpuEndpointPlan } from './gpu-endpoint-base.js';
import type { RealTimeGpuEndpointProps } from './gpu-endpoint-options.js';
import { realTimeProblems } from './gpu-endpoint-problems.js';
import { instanceBounds, leaveChoice, requestTracking } from './gpu-endpoint-scaling.js';
import { captureConfig, capturedTo, shadowOf, variantsOf } from './gpu-endpoint-variants.js';
import { INVOKE_ENDPOINT } from './permissions.js';
import { throwProblems } from './problems.js';

/** Models on a GPU that answer at once: `InvokeEndpoint`. */
export class RealTimeGpuEndpoint extends GpuEndpointBase {
  /** As `GpuEndpoint.realTime`. */
  constructor(scope: Construct, id: string, props: RealTimeGpuEndpointProps) {
    super(scope, id, (endpoint): GpuEndpointPlan => {
      throwProblems(endpoint.node.path, realTimeProblems(Stack.of(endpoint), props));
      return {
        props,
        variants: variantsOf(props),
        shadow: shadowOf(props),
        capture: capturedTo(props.dataCapture),
        config: props.dataCapture === undefined ? {} : { dataCaptureConfig: captureConfig(props.dataCapture) },
        scalingOf: ({ scaling }) => {
          const bounds = instanceBounds(scaling);
          return leaveChoice(bounds) ? { ...bounds, tracking: requestTracking(scaling) } : undefined;
        },
      };
    });
  }

  /** Lets someone send requests to the endpoint, and nothing else. */
  override grantInvoke(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({ grantee, actions: INVOKE_ENDPOINT, resourceArns: [this.endpointArn] });
  }
}
