/** What every error says. */
export interface ErrorDetails {
  /** Stable, upper snake case; never reused for another meaning. */
  readonly code: string;
  /** What failed and what it got. */
  readonly message: string;
  /** What the reader can do now. */
  readonly advice: string;
  /** What led to it. */
  readonly cause?: unknown;
}

/**
 * Every error that a person is meant to read: what failed and what it got (`message`),
 * what to do about it (`advice`), and a stable `code` to search or switch on.
 */
export class CdkOnnxError extends Error {
  /** Stable, upper snake case. */
  readonly code: string;
  /** What the reader can do now. */
  readonly advice: string;

  constructor(details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.advice = details.advice;
    this.name = new.target.name;
  }
}

/** The bytes of a model file are not what its format allows. */
export class ModelFormatError extends CdkOnnxError {}

/** A graph is invalid, or uses what this version does not support. */
export class GraphError extends CdkOnnxError {}

/** onnxruntime refused a model, or its process died. */
export class RuntimeError extends CdkOnnxError {}

/** model.json, a lock file, a flag or an environment variable is wrong. */
export class ConfigurationError extends CdkOnnxError {}

/** An artifact is incomplete, damaged, or does not fit where it should go. */
export class ArtifactError extends CdkOnnxError {}

/** A construct was given properties that cannot be deployed. */
export class SynthesisError extends CdkOnnxError {}

/** A request that cannot be answered; `status` is the HTTP status to answer with. */
export class RequestError extends CdkOnnxError {
  /** 400 to 599. */
  readonly status: number;

  constructor(details: ErrorDetails & { readonly status: number }) {
    super(details);
    this.status = details.status;
  }
}
