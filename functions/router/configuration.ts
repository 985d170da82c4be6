/** What the router is told by its environment. */

import { parsePolicy, type RouterPolicy } from '../../lib/artifact/router-policy.js';
import { ConfigurationError } from '../../lib/errors.js';
import { readCredentials } from '../aws/credentials.js';
import { readEndpoint } from '../aws/endpoint.js';
import { SignedPost } from '../aws/signed-post.js';
import { SigningTime } from '../aws/signing-time.js';
import { Dispatcher } from './policy/dispatcher.js';
import type { ServedModel } from './routes.js';
import { LambdaTarget } from './targets/lambda.js';
import { SageMakerTarget } from './targets/sagemaker.js';

/** The function that predicts: the ARN of its alias. */
const FUNCTION_VARIABLE = 'CDK_ONNX_PREDICT_FUNCTION';
/** The name of the SageMaker endpoint with the model's GPU variant. */
const ENDPOINT_VARIABLE = 'CDK_ONNX_GPU_ENDPOINT';
/** The model's name, and its version as a number; without the version, requests that name one go to Lambda only. */
export const MODEL_VARIABLE = 'CDK_ONNX_MODEL';
const VERSION_VARIABLE = 'CDK_ONNX_MODEL_VERSION';
/** JSON: what of the policy is not the default. */
const POLICY_VARIABLE = 'CDK_ONNX_ROUTER_POLICY';

export interface Router {
  readonly model: ServedModel;
  readonly policy: RouterPolicy;
  readonly dispatcher: Dispatcher;
  readonly lambda: LambdaTarget;
  readonly sagemaker: SageMakerTarget;
}

/**
 * @throws ConfigurationError `ROUTER_INCOMPLETE`, `POLICY_INVALID`, `REGION_MISSING`, `ENDPOINT_INVALID`, `CREDENTIALS_MISSING`
 */
export function createRouter(environment: NodeJS.ProcessEnv): Router {
  const [functionName, endpointName, name] = required(environment, [
    FUNCTION_VARIABLE,
    ENDPOINT_VARIABLE,
    MODEL_VARIABLE,
  ]);
  const policy = parsePolicy(environment[POLICY_VARIABLE]);
  if (policy.onGpuUnavailable === 'queue') throw queueMissing();
  const credentials = readCredentials(environment, 'neither Lambda nor SageMaker can be asked');
  const time = new SigningTime();
  const post = (service: string, variable: string, host: string) =>
    new SignedPost({ endpoint: readEndpoint({ variable, host }, environment), service, credentials, time });
  return {
    model: { name, version: environment[VERSION_VARIABLE] || undefined },
    policy,
    dispatcher: new Dispatcher(policy),
    lambda: new LambdaTarget({ post: post('lambda', 'LAMBDA', 'lambda'), functionName }),
    sagemaker: new SageMakerTarget({ post: post('sagemaker', 'SAGEMAKER_RUNTIME', 'runtime.sagemaker'), endpointName }),
  };
}

function queueMissing(): ConfigurationError {
  return new ConfigurationError({
    code: 'POLICY_INVALID',
    message: "onGpuUnavailable is 'queue', and this version has no queue yet.",
    advice: "Set it to 'fail', or leave it out.",
  });
}

function required<const Names extends readonly string[]>(
  environment: NodeJS.ProcessEnv,
  names: Names,
): { readonly [Index in keyof Names]: string } {
  const missing = names.filter((name) => !environment[name]);
  if (missing.length > 0) {
    throw new ConfigurationError({
      code: 'ROUTER_INCOMPLETE',
      message: `The environment has no ${missing.join(', ')}.`,
      advice: `Set ${FUNCTION_VARIABLE} to the ARN of the alias of the function that predicts, ${ENDPOINT_VARIABLE} to the name of the SageMaker endpoint, and ${MODEL_VARIABLE} to the model's name.`,
    });
  }
  return names.map((name) => environment[name]) as { readonly [Index in keyof Names]: string };
}
