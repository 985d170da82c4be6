/** The environment variables that a function's own code reads. */
import { CAPTURE_VARIABLE } from '../artifact/capture.js';
import { DRIFT_SHARE_VARIABLE } from '../artifact/input-profile.js';
import { MODEL_INTERFACE_VARIABLE } from '../artifact/model-interface.js';

export const ARTIFACT_VARIABLE = 'CDK_ONNX_ARTIFACT';
/** The models of the endpoint that a function answers for, as JSON: `[{ "name": "faces", "version": 1, "routing": "jobs" }]`. */
export const MODEL_LIST_VARIABLE = 'CDK_ONNX_MODELS';
/** Which web pages may read answers behind a REST API, as JSON: `{ "allowOrigins": ["*"], "allowCredentials": false, "exposeHeaders": [] }`. */
export const CORS_VARIABLE = 'CDK_ONNX_CORS';
/** Where the weights lie that the model's layer has no room for: `s3://bucket/key`. */
export const WEIGHTS_VARIABLE = 'CDK_ONNX_WEIGHTS';
export const OWN_VARIABLES: readonly string[] = [
  ARTIFACT_VARIABLE,
  MODEL_LIST_VARIABLE,
  CORS_VARIABLE,
  WEIGHTS_VARIABLE,
  CAPTURE_VARIABLE,
  DRIFT_SHARE_VARIABLE,
  'ORT_DISABLE_TELEMETRY',
];

/** What a router's own code reads, see functions/router/configuration.ts. */
export const ROUTER_VARIABLES = {
  predictFunction: 'CDK_ONNX_PREDICT_FUNCTION',
  model: 'CDK_ONNX_MODEL',
  modelVersion: 'CDK_ONNX_MODEL_VERSION',
  gpuEndpoint: 'CDK_ONNX_GPU_ENDPOINT',
  gpuQueueEndpoint: 'CDK_ONNX_GPU_QUEUE_ENDPOINT',
  gpuQueueBucket: 'CDK_ONNX_GPU_QUEUE_BUCKET',
  jobSecret: 'CDK_ONNX_JOB_SECRET',
  modelInterface: MODEL_INTERFACE_VARIABLE,
  policy: 'CDK_ONNX_ROUTER_POLICY',
} as const;
