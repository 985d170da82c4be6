/** What infrastructure code imports. */

export type { Redaction, Redactions } from './artifact/capture.js';
export {
  FUNCTION_METRICS,
  type FunctionMetric,
  LOG_LEVELS,
  type LogLevel,
  ROUTER_METRICS,
  type RouterMetric,
} from './artifact/function-metrics.js';
export type { InputProfile, InputStatistic, ProfiledStatistic } from './artifact/input-profile.js';
export type {
  ArtifactFile,
  DataType,
  Dimension,
  MANIFEST_SCHEMA_VERSION,
  Manifest,
  SessionSettings,
  Signature,
  Task,
  TensorSignature,
} from './artifact/manifest.js';
export type {
  CircuitBreakerPolicy,
  OnGpuUnavailable,
  RouterPolicy,
  RouterPolicyOptions,
} from './artifact/router-policy.js';
export type { LayerPlan, PlanDetails, S3Plan, SizePlan, SizePlanInput, TooLargePlan } from './artifact/size-plan.js';
export type {
  AnchorDecoder,
  AnchorFeatureMap,
  AudioPreprocessing,
  DecodedBoxes,
  HashTokenizer,
  ImageClassificationTask,
  ImagePreprocessing,
  ObjectDetectionTask,
  TensorTask,
  TextClassificationTask,
  TextPreprocessing,
  TokenizerFile,
  VoiceActivityTask,
  YoloDecoder,
} from './artifact/task.js';
export type { TritonRelease } from './artifact/triton.js';
export * from './constructs/index.js';
export type { PerArchitecture, Prices } from './cost/prices.js';
export {
  ArtifactError,
  CdkOnnxError,
  ConfigurationError,
  type ErrorDetails,
  GraphError,
  ModelFormatError,
  RequestError,
  RuntimeError,
  SynthesisError,
} from './errors.js';
