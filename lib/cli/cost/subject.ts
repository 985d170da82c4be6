import type { Architecture } from '../../artifact/manifest.js';
import type { ApiType } from '../../cost/prices.js';
import type { FunctionUse, GpuUse, ProvisionedUse } from '../../cost/serving.js';
import type { Duration } from './measured-duration.js';

/** Instances as a template or an option has them, before anybody says what one does. */
export type Instances = Omit<GpuUse, 'requestsPerSecond' | 'milliseconds'>;

/** A model whose ways to be served are compared. */
export interface Subject {
  readonly name: string;
  readonly architecture: Architecture;
  readonly memorySize: number;
  readonly duration: Duration;
  readonly api: ApiType | undefined;
  /** What there is of these; undefined: not there. */
  readonly provisioned: ProvisionedUse | undefined;
  readonly router: FunctionUse | undefined;
  readonly gpu: Instances | undefined;
  readonly queue: Instances | undefined;
  /** Whether this is what an app deploys. */
  readonly isDeployed: boolean;
  /** What of the template does not show in the figures. */
  readonly notes: readonly string[];
}
