import type { GradualDeploymentOptions, InferenceDeploymentOptions } from './inference-deployment-options.js';

/** How CodeDeploy shifts an alias' traffic to a new version. */
export type TrafficShift =
  | { readonly kind: 'all-at-once' }
  /** `minutes`: a whole number, or what only the deployment knows. */
  | { readonly kind: 'canary' | 'linear'; readonly percent: number; readonly minutes: number };

const DEFAULT_PERCENT = 10;
const DEFAULT_MINUTES = { canary: 10, linear: 3 };

/**
 * How a new version of a function gets its traffic, by CodeDeploy.
 *
 * @example
 * new InferenceEndpoint(this, 'Vision', { models, deployment: InferenceDeployment.canary({ percent: 5 }) });
 */
export class InferenceDeployment {
  /** A part of the traffic first, and the rest after a while. */
  static canary(options: GradualDeploymentOptions = {}): InferenceDeployment {
    return InferenceDeployment.gradual('canary', options);
  }

  /** One part of the traffic after the other. */
  static linear(options: GradualDeploymentOptions = {}): InferenceDeployment {
    return InferenceDeployment.gradual('linear', options);
  }

  /** All traffic, once the replay has succeeded. Nothing rolls back after that: the deployment is over. */
  static allAtOnce(options: InferenceDeploymentOptions = {}): InferenceDeployment {
    return new InferenceDeployment({ kind: 'all-at-once' }, options);
  }

  private static gradual(kind: 'canary' | 'linear', options: GradualDeploymentOptions): InferenceDeployment {
    const { percent = DEFAULT_PERCENT, interval } = options;
    const minutes = interval === undefined ? DEFAULT_MINUTES[kind] : interval.toMinutes({ integral: false });
    return new InferenceDeployment({ kind, percent, minutes }, options);
  }

  private constructor(
    /** How its traffic is shifted. */
    readonly shift: TrafficShift,
    /** What else was said of it. */
    readonly options: GradualDeploymentOptions,
  ) {}
}
