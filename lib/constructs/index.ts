export { ARCHITECTURE_CONTEXT, type ArchitectureName } from './architecture.js';
export type { CustomDomain, ExistingDomain, NewDomain } from './custom-domain.js';
export { InferenceApi, type InferenceApiProps } from './inference-api.js';
export type { InferenceApiOptions, InferenceThrottle } from './inference-api-options.js';
export {
  InferenceAuth,
  type InferenceAuthConfig,
  type JwtAuthOptions,
  type LambdaAuthOptions,
} from './inference-auth.js';
export { InferenceEndpoint, type InferenceEndpointProps } from './inference-endpoint.js';
export { InferenceFunction, type InferenceFunctionProps } from './inference-function.js';
export type { InferenceFunctionOptions } from './inference-function-options.js';
export { Model, type ModelBindOptions, type ModelFileOptions, type StagedModel } from './model.js';
export { ModelLayer, type ModelLayerProps } from './model-layer.js';
export type { ModelWeights } from './model-weights.js';
export { OnnxRuntimeLayer, type OnnxRuntimeLayerProps } from './onnx-runtime-layer.js';
