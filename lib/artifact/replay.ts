/**
 * What the hook in front of a deployment is told by its construct, and how recorded requests are written.
 * Plain types, no code that costs a cold start.
 */

/** The ARN of the version that is about to get traffic. */
export const NEW_VERSION_VARIABLE = 'CDK_ONNX_NEW_VERSION';
/** The ARN of the alias that has the traffic. */
export const LIVE_ALIAS_VARIABLE = 'CDK_ONNX_LIVE_ALIAS';
/** `ReplaySettings` as JSON. */
export const REPLAY_VARIABLE = 'CDK_ONNX_REPLAY';
/** The folder of a layer with recorded requests, files named *.jsonl, where there is one. */
export const RECORDINGS_VARIABLE = 'CDK_ONNX_RECORDINGS';

/** In place of API Gateway's name of a request, so that no caller can say it: a replayed request is nobody's, and not captured again. */
export const REPLAY_REQUEST_ID = 'cdk-onnx-replay';

/** How far two numbers may be apart: `absolute` + `relative` times the live version's. */
export interface NumericTolerance {
  /** 0 or more. */
  readonly absolute: number;
  /** 0 or more; 0.01 is one percent. */
  readonly relative: number;
}

/** Where the requests come from. */
export type ReplaySource =
  /** Made from the model's signature. */
  | { readonly kind: 'generated' }
  /** Shipped with the hook: see `RECORDINGS_VARIABLE`. */
  | { readonly kind: 'layer' }
  /** `<prefix><model>/<YYYY>/<MM>/<DD>/…/*.jsonl` */
  | { readonly kind: 'bucket'; readonly bucket: string; readonly prefix: string };

export interface ReplaySettings {
  /** The model's name, as in its routes. */
  readonly model: string;
  readonly source: ReplaySource;
  /** `values`: answers are the same within the tolerance. `form`: they are answers with the same outputs. */
  readonly compare: 'values' | 'form';
  readonly tolerance: NumericTolerance;
  readonly maxRequests: number;
  /** Of the requests that were compared, 0 to 1. */
  readonly maxDifferentShare: number;
  /** How long one invocation may take, in milliseconds. */
  readonly invocationTimeout: number;
}

/** A request as its caller sent it, and what was answered: one line of JSON. Further members are left alone. */
export interface RecordedInference {
  readonly request: RecordedMessage & { readonly method: string; readonly path: string };
  readonly response?: RecordedMessage & { readonly status: number };
}

export interface RecordedMessage {
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Whether `body` is base64 of the bytes. Default false. */
  readonly isBase64?: boolean;
  /** Whether something in it was left out or replaced: then it is not replayed. */
  readonly redacted?: boolean;
}
