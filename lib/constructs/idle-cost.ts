/** Tells in the synth's output, once for an endpoint, what it costs while nobody uses it. */
import type { Architecture } from 'aws-cdk-lib/aws-lambda';
import { Annotations, Aspects, Token } from 'aws-cdk-lib/core';
import type { Construct, IConstruct } from 'constructs';
import { type IdleResource, idleNote } from '../cost/idle-note.js';
import { contextPrices, PRICES_CONTEXT } from '../cost/price-overrides.js';
import type { Prices } from '../cost/prices.js';
import { architectureName } from './architecture.js';

/** By the construct that tells. */
const gathered = new WeakMap<IConstruct, IdleCost>();

/** What costs money by the hour in a construct and all that it holds. */
export class IdleCost {
  private readonly resources: IdleResource[] = [];
  private isTold = false;

  private constructor(private readonly scope: Construct) {}

  /** Makes a construct tell for all that it will hold, unless one around it does. */
  static gatherAt(scope: Construct): IdleCost {
    const known = IdleCost.around(scope);
    if (known !== undefined) return known;
    const idleCost = new IdleCost(scope);
    gathered.set(scope, idleCost);
    // Only at synth is all of it there.
    Aspects.of(scope).add({ visit: (node) => idleCost.tell(node) });
    return idleCost;
  }

  /** Adds what is in a construct; values that only the deployment knows are left out. */
  static add(scope: Construct, ...resources: readonly IdleResource[]): void {
    const known = resources.filter((resource) => !Object.values(resource).some((value) => Token.isUnresolved(value)));
    if (known.some(({ count }) => count > 0)) IdleCost.gatherAt(scope).resources.push(...known);
  }

  private static around(scope: Construct): IdleCost | undefined {
    return scope.node.scopes.flatMap((each) => gathered.get(each) ?? [])[0];
  }

  private tell(node: IConstruct): void {
    if (node !== this.scope || this.isTold) return;
    this.isTold = true;
    const note = idleNote(this.resources, pricesOf(this.scope));
    if (note !== undefined) Annotations.of(this.scope).addInfoV2('cdk-onnx:idle-cost', note);
  }
}

/** Environments of a function that are kept ready; none where `provisioned` is undefined. */
export function addIdleEnvironments(
  scope: Construct,
  name: string,
  provisioned: { readonly min: number } | undefined,
  machine: { readonly architecture: Architecture; readonly memorySize: number },
): void {
  if (provisioned === undefined) return;
  const architecture = architectureName(machine.architecture);
  IdleCost.add(scope, {
    kind: 'environments',
    name,
    count: provisioned.min,
    architecture,
    memorySize: machine.memorySize,
  });
}

/**
 * Prices as the context says, else ours.
 *
 * @throws ConfigurationError `PRICES_INVALID`
 */
export function pricesOf(scope: Construct): Prices {
  return contextPrices(scope.node.tryGetContext(PRICES_CONTEXT));
}
