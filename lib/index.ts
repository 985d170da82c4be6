/** What infrastructure code imports. */

export type { LogLevel } from './artifact/function-metrics.js';
export type { Manifest, Signature, Task, TensorSignature } from './artifact/manifest.js';
export * from './constructs/index.js';
export {
  ArtifactError,
  CdkOnnxError,
  ConfigurationError,
  GraphError,
  ModelFormatError,
  RequestError,
  RuntimeError,
  SynthesisError,
} from './errors.js';
