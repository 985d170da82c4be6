import { type Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { Connections, IConnectable } from 'aws-cdk-lib/aws-ec2';
import type { Grant, IGrantable, Role } from 'aws-cdk-lib/aws-iam';
import type { Alias, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { SynthesisError } from '../errors.js';

/** A function whose alias `live` callers invoke: who may, what it reaches, and what Lambda counts of it. */
export abstract class ServedFunction extends Construct implements IGrantable, IConnectable {
  /** The function itself. */
  abstract readonly function: LambdaFunction;
  /** `live`: what callers invoke. */
  abstract readonly alias: Alias;
  /** What the function may do. */
  abstract readonly role: Role;

  /** The function's role, to grant it further permissions. */
  get grantPrincipal(): Role {
    return this.role;
  }

  /**
   * The function's security groups.
   *
   * @throws SynthesisError `VPC_MISSING`
   */
  get connections(): Connections {
    if (!this.function.isBoundToVpc) {
      throw new SynthesisError({
        code: 'VPC_MISSING',
        message: `${this.node.path} is in no VPC, so it has no connections.`,
        advice: 'Give the function a vpc.',
      });
    }
    return this.function.connections;
  }

  /** Lets someone invoke the alias `live` directly, past the API. */
  grantInvoke(grantee: IGrantable): Grant {
    return this.alias.grantInvoke(grantee);
  }

  /** A metric of the alias `live` by its name in the namespace AWS/Lambda. */
  metric(metricName: string, options?: MetricOptions): Metric {
    return this.alias.metric(metricName, options);
  }

  /** How often the alias was invoked: a sum. */
  metricInvocations(options?: MetricOptions): Metric {
    return this.alias.metricInvocations(options);
  }

  /** How many invocations failed: a sum. */
  metricErrors(options?: MetricOptions): Metric {
    return this.alias.metricErrors(options);
  }

  /** How long invocations took, in milliseconds: an average. */
  metricDuration(options?: MetricOptions): Metric {
    return this.alias.metricDuration(options);
  }

  /** How many invocations were refused for lack of concurrency: a sum. */
  metricThrottles(options?: MetricOptions): Metric {
    return this.alias.metricThrottles(options);
  }

  /** How many invocations ran at once: a maximum. */
  metricConcurrentExecutions(options?: MetricOptions): Metric {
    return this.alias.metric('ConcurrentExecutions', { statistic: Stats.MAXIMUM, ...options });
  }

  /** How many invocations found no provisioned concurrency left, so that they may have started cold: a sum. */
  metricProvisionedConcurrencySpillover(options?: MetricOptions): Metric {
    return this.alias.metric('ProvisionedConcurrencySpilloverInvocations', { statistic: Stats.SUM, ...options });
  }

  /** Which share of the provisioned concurrency was in use, 0 to 1: a maximum. */
  metricProvisionedConcurrencyUtilization(options?: MetricOptions): Metric {
    return this.alias.metric('ProvisionedConcurrencyUtilization', { statistic: Stats.MAXIMUM, ...options });
  }
}
