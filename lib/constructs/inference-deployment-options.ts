import type { IAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { Duration } from 'aws-cdk-lib/core';

/** What happens around a deployment of a new version, however its traffic is shifted. */
export interface InferenceDeploymentOptions {
  /**
   * The requests that are sent to the new version before it gets traffic, and what is expected of their answers; false sends none. Where
   * the answers are not as expected, no traffic is shifted, and the stack rolls back.
   * @default - three generated requests, whose answers have to be those of the version with the traffic
   */
  readonly replay?: InferenceReplay | false;
}

/** How traffic is shifted to a new version, and what rolls it back. */
export interface GradualDeploymentOptions extends InferenceDeploymentOptions {
  /**
   * The share of the requests that the new version gets first, and in a linear deployment the share that is added each time: 1 to 99.
   * @default 10
   */
  readonly percent?: number;
  /**
   * Whole minutes until the rest follows, in a linear deployment until the next part follows. CloudWatch's metrics are some two minutes
   * behind. CodeDeploy takes 48 hours at most between the first and the last shift.
   * @default - 10 minutes, in a linear deployment 3
   */
  readonly interval?: Duration;
  /**
   * What gives all traffic back to the version before, while it is shifted.
   * @default - errors of the function, answers of 500 to 599, and a latency near the function's timeout
   */
  readonly rollback?: InferenceRollback;
}

/** Limits in each of which a new version stays, or is rolled back. */
export interface InferenceRollback {
  /**
   * Failed invocations of the new version in a minute that are too many.
   * @default 1 - the function answers faulty requests too: where an invocation fails, it crashed, ran out of memory or of time
   */
  readonly functionErrors?: number;
  /**
   * Answers of 500 to 599 in a minute that are too many, of whichever version: the metric knows none. False looks at none, for the
   * deployment that mends a version which gives them.
   * @default 5 - one environment that still loads its model is no reason; without effect where metrics are not published
   */
  readonly serverErrors?: number | false;
  /**
   * The new version's 99th percentile, over a minute in two of three, that is too slow.
   * @default - four fifths of the function's timeout: every hundredth request nearly ran out of time
   */
  readonly latency?: Duration;
  /**
   * Further alarms, up to seven, any of which rolls back. While one of them is on, no deployment begins.
   * @default - none
   */
  readonly alarms?: readonly IAlarm[];
}

/** Requests before traffic. */
export interface InferenceReplay {
  /**
   * Where they come from.
   * @default ReplayRequests.generated()
   */
  readonly requests?: ReplayRequests;
  /**
   * Whether predictions have to stay as they are. `may-change` is for a model that was trained anew: its answers are held to status, error
   * code, and names and types of outputs.
   * @default 'unchanged'
   */
  readonly predictions?: 'unchanged' | 'may-change';
  /**
   * How far numbers may be apart: `absolute` + `relative` × the live version's. Texts, labels and integers of tensors have to be equal.
   * @default - 0.001 + 1 %; a model that was quantized anew asks for more
   */
  readonly tolerance?: ReplayTolerance;
  /**
   * Which share of the compared answers may differ all the same, 0 to 1.
   * @default 0
   */
  readonly maxDifferentShare?: number;
  /**
   * How many requests are sent at most, 1 to 10,000.
   * @default 100
   */
  readonly maxRequests?: number;
  /**
   * How long all of it may take, 1 to 15 minutes; what is not shown by then counts as failed.
   * @default Duration.minutes(5)
   */
  readonly timeout?: Duration;
}

/** How far two numbers may be apart. */
export interface ReplayTolerance {
  /**
   * Whatever the numbers' size; 0 or more.
   * @default 0.001
   */
  readonly absolute?: number;
  /**
   * As a part of the live version's number; 0 or more.
   * @default 0.01
   */
  readonly relative?: number;
}

/** Where requests that are replayed come from. */
export class ReplayRequests {
  /**
   * Three requests of Open Inference Protocol V2 with the model's inputs, random and the same in every deployment: they show that answers
   * stay, not that they are right.
   */
  static generated(): ReplayRequests {
    return new ReplayRequests({ kind: 'generated' });
  }

  /**
   * Files `*.jsonl` of a folder, which are deployed with the hook. Each line is
   * `{ "request": { "method", "path", "headers", "body", "isBase64" }, "response": { "status", "headers", "body", "isBase64" } }`;
   * the response may be missing, and is compared with where there is no version before.
   *
   * @param path relative to the working directory
   */
  static fromFolder(path: string): ReplayRequests {
    return new ReplayRequests({ kind: 'folder', path });
  }

  /**
   * What the function captured in the last seven days, the newest first: objects `<prefix><model>/<YYYY>/<MM>/<DD>/….jsonl` with lines as
   * of a folder. As long as there are none, requests are generated.
   */
  static fromBucket(bucket: IBucket, prefix = 'captures/'): ReplayRequests {
    return new ReplayRequests({ kind: 'bucket', bucket, prefix });
  }

  private constructor(
    /**
     * Which of them.
     * @internal
     */
    readonly _source:
      | { readonly kind: 'generated' }
      | { readonly kind: 'folder'; readonly path: string }
      | { readonly kind: 'bucket'; readonly bucket: IBucket; readonly prefix: string },
  ) {}
}
