/** What the router is told by its environment. */

import { parsePolicy, type RouterPolicy } from '../../lib/artifact/router-policy.js';
import { ConfigurationError } from '../../lib/errors.js';
import { bucketUrl } from '../aws/bucket-url.js';
import { readCredentials } from '../aws/credentials.js';
import { type Endpoint, readEndpoint } from '../aws/endpoint.js';
import { S3Bucket } from '../aws/s3-bucket.js';
import { SignedRequests } from '../aws/signed-requests.js';
import { SigningTime } from '../aws/signing-time.js';
import { JobService } from './jobs/job-service.js';
import { modelInterfaceOf, type ServedInterface } from './model-interface.js';
import { Dispatcher } from './policy/dispatcher.js';
import type { ServedModel } from './routes.js';
import { LambdaTarget } from './targets/lambda.js';
import { SageMakerTarget } from './targets/sagemaker.js';
import { SageMakerQueue } from './targets/sagemaker-queue.js';

/** The function that predicts: the ARN of its alias. */
const FUNCTION_VARIABLE = 'CDK_ONNX_PREDICT_FUNCTION';
/** The name of the SageMaker endpoint with the model's GPU variant. One of it and of the queue's has to be there. */
const ENDPOINT_VARIABLE = 'CDK_ONNX_GPU_ENDPOINT';
/** The name of the asynchronous endpoint with it, and the bucket for its requests and results. */
const QUEUE_ENDPOINT_VARIABLE = 'CDK_ONNX_GPU_QUEUE_ENDPOINT';
const QUEUE_BUCKET_VARIABLE = 'CDK_ONNX_GPU_QUEUE_BUCKET';
/** What ids of jobs are made with; no caller should know it. Without it: the bucket's name. */
const JOB_SECRET_VARIABLE = 'CDK_ONNX_JOB_SECRET';
/** The model's name, and its version as a number; without the version, requests that name one go to Lambda only. */
export const MODEL_VARIABLE = 'CDK_ONNX_MODEL';
const VERSION_VARIABLE = 'CDK_ONNX_MODEL_VERSION';
/** JSON: what of the policy is not the default. */
const POLICY_VARIABLE = 'CDK_ONNX_ROUTER_POLICY';

export interface Router {
  readonly model: ServedModel;
  /** What requests are put into tensors by; undefined where nobody said. */
  readonly modelInterface: () => ServedInterface | undefined;
  readonly policy: RouterPolicy;
  readonly dispatcher: Dispatcher;
  readonly lambda: LambdaTarget;
  /** Undefined where SageMaker has nothing but a queue. */
  readonly sagemaker: SageMakerTarget | undefined;
  /** Undefined where there is no queue. */
  readonly jobs: JobService | undefined;
}

/**
 * @throws ConfigurationError `ROUTER_INCOMPLETE`, `POLICY_INVALID`, `REGION_MISSING`, `ENDPOINT_INVALID`, `CREDENTIALS_MISSING`
 */
export function createRouter(environment: NodeJS.ProcessEnv): Router {
  const variables = readVariables(environment);
  const { functionName, endpointName, queue, name } = variables;
  const policy = parsePolicy(environment[POLICY_VARIABLE]);
  if (policy.onGpuUnavailable === 'queue' && queue === undefined) {
    throw incomplete(`${QUEUE_ENDPOINT_VARIABLE} and ${QUEUE_BUCKET_VARIABLE}, which onGpuUnavailable 'queue' needs`);
  }
  const credentials = readCredentials(environment, 'neither Lambda nor SageMaker can be asked');
  const time = new SigningTime();
  const requests = (service: string, endpoint: Endpoint) =>
    new SignedRequests({ endpoint, service, credentials, time });
  const modelInterface = modelInterfaceOf(environment);
  const sagemaker = requests(
    'sagemaker',
    readEndpoint({ variable: 'SAGEMAKER_RUNTIME', host: 'runtime.sagemaker' }, environment),
  );
  return {
    model: { name, version: environment[VERSION_VARIABLE] || undefined },
    modelInterface,
    policy,
    dispatcher: new Dispatcher(policy, { hasGpu: endpointName !== undefined }),
    lambda: new LambdaTarget({
      post: requests('lambda', readEndpoint({ variable: 'LAMBDA', host: 'lambda' }, environment)),
      functionName,
    }),
    sagemaker: endpointName === undefined ? undefined : new SageMakerTarget({ post: sagemaker, endpointName }),
    jobs:
      queue === undefined
        ? undefined
        : new JobService({
            model: name,
            bucket: new S3Bucket({
              requests: requests('s3', bucketEndpoint(queue.bucket, environment)),
              name: queue.bucket,
            }),
            queue: new SageMakerQueue({ requests: sagemaker, endpointName: queue.endpoint }),
            secret: environment[JOB_SECRET_VARIABLE] || queue.bucket,
            conclude: async (original, answer) => {
              const served = modelInterface();
              if (served === undefined) return undefined;
              const { concludeTask } = await import('./translation/task.js');
              return await concludeTask(original, served, answer);
            },
          }),
  };
}

interface Variables {
  readonly functionName: string;
  readonly name: string;
  readonly endpointName: string | undefined;
  readonly queue: { readonly endpoint: string; readonly bucket: string } | undefined;
}

function readVariables(environment: NodeJS.ProcessEnv): Variables {
  const functionName = environment[FUNCTION_VARIABLE];
  const name = environment[MODEL_VARIABLE];
  const endpointName = environment[ENDPOINT_VARIABLE] || undefined;
  const endpoint = environment[QUEUE_ENDPOINT_VARIABLE];
  const bucket = environment[QUEUE_BUCKET_VARIABLE];
  const queue = endpoint && bucket ? { endpoint, bucket } : undefined;
  const missing = [
    ...(functionName ? [] : [FUNCTION_VARIABLE]),
    ...(name ? [] : [MODEL_VARIABLE]),
    ...(endpoint && !bucket ? [QUEUE_BUCKET_VARIABLE] : []),
    ...(bucket && !endpoint ? [QUEUE_ENDPOINT_VARIABLE] : []),
    ...(endpointName || queue ? [] : [ENDPOINT_VARIABLE]),
  ];
  if (!functionName || !name || missing.length > 0) throw incomplete(missing.join(', '));
  return { functionName, name, endpointName, queue };
}

function bucketEndpoint(bucket: string, environment: NodeJS.ProcessEnv): Endpoint {
  const { url, region } = readEndpoint({ variable: 'S3', host: 's3' }, environment);
  const isOther = Boolean(environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL);
  return { url: bucketUrl(bucket, region, isOther ? url : undefined) ?? url, region };
}

function incomplete(missing: string): ConfigurationError {
  return new ConfigurationError({
    code: 'ROUTER_INCOMPLETE',
    message: `The environment has no ${missing}.`,
    advice: `Set ${FUNCTION_VARIABLE} to the ARN of the alias of the function that predicts, ${MODEL_VARIABLE} to the model's name, and ${ENDPOINT_VARIABLE} to the name of the SageMaker endpoint, or ${QUEUE_ENDPOINT_VARIABLE} and ${QUEUE_BUCKET_VARIABLE} to those of its queue.`,
  });
}
