/** The metrics that a function writes about its work: the names are the same in its code and in the constructs that graph them. */

/** Where CloudWatch keeps them unless told otherwise. */
export const DEFAULT_METRICS_NAMESPACE = 'cdk-onnx';

/** Every metric with its unit, as CloudWatch names units. */
export const FUNCTION_METRICS = {
  /** 1 for a request that Lambda started an environment for. */
  ColdStart: 'Count',
  /** From a request's arrival at API Gateway to the handler's start: waiting for an environment, its initialization, the way. */
  QueueTime: 'Milliseconds',
  /** From the handler's start until the model's inputs are there: base64, then JSON, binary tensors or a picture. */
  DecodeTime: 'Milliseconds',
  /** onnxruntime's run. */
  InferenceTime: 'Milliseconds',
  /** From the model's outputs to the function's result: the task's predictions, JSON or binary tensors, base64. */
  EncodeTime: 'Milliseconds',
  /** 1 for a request that the caller has to change: a status of 400 to 499. */
  ClientErrors: 'Count',
  /** 1 for a request that failed here: a status of 500 to 599. */
  ServerErrors: 'Count',
  /** Once per environment: onnxruntime's library. */
  RuntimeLoadTime: 'Milliseconds',
  /** Once per environment: opening the model. */
  SessionCreationTime: 'Milliseconds',
  /** Once per environment: the first run, and the task's codecs. */
  WarmUpTime: 'Milliseconds',
  /** Requests that were kept in S3. */
  CapturedRequests: 'Count',
  /** Requests that should have been kept and were not; 1 for an environment that cannot keep any. */
  CaptureFailures: 'Count',
} as const;

/** The name of a metric that functions write. */
export type FunctionMetric = keyof typeof FUNCTION_METRICS;

/** What a router writes beside what its functions do; same form, other names, because both have the model as their dimension. */
export const ROUTER_METRICS = {
  /** 1 for a request that Lambda started an environment of the router for. */
  RouterColdStart: 'Count',
  /** From a request's arrival at API Gateway to the router's start. */
  RouterQueueTime: 'Milliseconds',
  /** From the router's start to its answer. */
  RouterTime: 'Milliseconds',
  /** What the call took that Lambda answered. */
  LambdaTime: 'Milliseconds',
  /** What the call took that SageMaker answered. */
  GpuTime: 'Milliseconds',
  /** 1 for an inference that Lambda answered. */
  LambdaAnswers: 'Count',
  /** 1 for an inference that SageMaker answered. */
  GpuAnswers: 'Count',
  /** 1 for an inference that SageMaker answered in place of Lambda; by why. */
  Fallbacks: 'Count',
  /** 1 for an inference that SageMaker was asked for on suspicion. */
  Hedges: 'Count',
  /** 1 for an inference that may have been executed twice. */
  ExtraLoad: 'Count',
  /** 1 for an inference while Lambda was not asked because it had failed. */
  LambdaCircuitOpen: 'Count',
  /** 1 for an inference while SageMaker was not asked because it had failed. */
  GpuCircuitOpen: 'Count',
  /** 1 for a request that became a job; by why. */
  JobsQueued: 'Count',
  /** 1 for a request that was a job already, by its idempotency key. */
  JobsRepeated: 'Count',
  /** 1 for a job that may be computed twice, because SageMaker was not heard of again after the first submission. */
  JobsResubmitted: 'Count',
  /** 1 for a request that the router could not have answered: a status of 500 to 599; by why. */
  RouterErrors: 'Count',
} as const;

/** A metric that a router writes. */
export type RouterMetric = keyof typeof ROUTER_METRICS;

/** Of what is counted of inputs, beside the model: `mean of pixels`. */
export const STATISTIC_DIMENSION = 'statistic';

/** Of every metric: the model's name. */
export const MODEL_DIMENSION = 'model';
/** Of errors once more, beside the model: the stable code of the error. */
export const CODE_DIMENSION = 'code';

/**
 * The variables that decide what a function logs: those of Powertools for AWS Lambda, whose formats its lines have.
 * https://docs.aws.amazon.com/powertools/typescript/latest/environment-variables/
 */
export const LOG_LEVEL_VARIABLE = 'POWERTOOLS_LOG_LEVEL';
export const METRICS_NAMESPACE_VARIABLE = 'POWERTOOLS_METRICS_NAMESPACE';
export const METRICS_DISABLED_VARIABLE = 'POWERTOOLS_METRICS_DISABLED';

/** From the most lines to none. */
export const LOG_LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'CRITICAL', 'SILENT'] as const;
/** How severe a line of a function's log is at least; the names are those of Powertools for AWS Lambda. */
export type LogLevel = (typeof LOG_LEVELS)[number];
