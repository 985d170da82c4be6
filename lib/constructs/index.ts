export { ARCHITECTURE_CONTEXT, type ArchitectureName } from './architecture.js';
export { AsynchronousGpuEndpoint } from './asynchronous-gpu-endpoint.js';
export type { CognitoAuthOptions } from './cognito-auth.js';
export type { CustomDomain, DomainMapping, ExistingDomain, NewDomain } from './custom-domain.js';
export { GpuEndpoint } from './gpu-endpoint.js';
export { GpuEndpointBase } from './gpu-endpoint-base.js';
export type {
  AsynchronousGpuEndpointProps,
  AsynchronousGpuScaling,
  GpuDataCapture,
  GpuEndpointOptions,
  GpuScaling,
  GpuShadow,
  GpuVariant,
  RealTimeGpuEndpointProps,
} from './gpu-endpoint-options.js';
export type { GpuVariantScaling, GpuWakeUp } from './gpu-endpoint-scaling.js';
export type { QueuePages } from './gpu-queue.js';
export { GradualDeployment, type GradualDeploymentProps } from './gradual-deployment.js';
export { InferenceApi, type InferenceApiProps } from './inference-api.js';
export type {
  CommonApiOptions,
  HttpApiOptions,
  InferenceApiOptions,
  InferenceThrottle,
  RestApiOptions,
} from './inference-api-options.js';
export { type HttpAuthConfig, InferenceAuth, type RestAuthConfig } from './inference-auth.js';
export { InferenceDeployment, type TrafficShift } from './inference-deployment.js';
export {
  type GradualDeploymentOptions,
  type InferenceDeploymentOptions,
  type InferenceReplay,
  type InferenceRollback,
  ReplayRequests,
  type ReplayTolerance,
} from './inference-deployment-options.js';
export {
  InferenceEndpoint,
  type InferenceEndpointOptions,
  type InferenceEndpointProps,
  type InferenceModelOptions,
} from './inference-endpoint.js';
export { InferenceFunction, type InferenceFunctionProps } from './inference-function.js';
export type { InferenceFunctionOptions } from './inference-function-options.js';
export type { InferenceGpuOptions, QueuedGpuOptions, RealTimeGpuOptions } from './inference-gpu-options.js';
export { InferenceMonitoring } from './inference-monitoring.js';
export type {
  InferenceMonitoringOptions,
  InferenceMonitoringProps,
  MonitoredModel,
  MonitoredRouter,
  MonitoringAlarmOptions,
  MonitoringAlarms,
  MonitoringDriftAlarmOptions,
  MonitoringShareAlarmOptions,
} from './inference-monitoring-options.js';
export { InferenceRouter } from './inference-router.js';
export type { InferenceRouterOptions, InferenceRouterProps } from './inference-router-options.js';
export type { InferenceTarget, ResponseMode, Routing } from './inference-target.js';
export type { JwtAuthOptions } from './jwt-auth.js';
export type { LambdaAuthOptions } from './lambda-auth.js';
export {
  Model,
  type ModelBindOptions,
  type ModelFileOptions,
  type ModelGpuOptions,
  type StagedArchive,
  type StagedModel,
} from './model.js';
export { ModelInterfaceLayer, type ModelInterfaceLayerProps } from './model-interface-layer.js';
export { ModelLayer, type ModelLayerProps } from './model-layer.js';
export type { ModelWeights } from './model-weights.js';
export { OnnxRuntimeLayer, type OnnxRuntimeLayerProps } from './onnx-runtime-layer.js';
export { PreTrafficHook, type PreTrafficHookProps } from './pre-traffic-hook.js';
export type { Problem } from './problems.js';
export type {
  ProvisionedConcurrency,
  ProvisionedConcurrencyScaling,
  ProvisionedConcurrencySchedule,
} from './provisioned-concurrency.js';
export { RealTimeGpuEndpoint } from './real-time-gpu-endpoint.js';
export { RequestCapture } from './request-capture.js';
export type { RequestCaptureOptions } from './request-capture-options.js';
export type { RestOnlyOptions } from './rest-api-options.js';
export { ServedFunction } from './served-function.js';
export type { TelemetryOptions } from './telemetry.js';
export type { UsagePlanOptions, UsageQuota } from './usage-plans.js';
export { type NamedLayer, type RetainedFunction, VersionRetention } from './version-retention.js';
export type { ExistingWebAcl, RateLimitingWebAcl, WebAcl } from './web-acl.js';
