/** The operations that a random graph may have, each in the form that its opset wants. */

import { ELEMENTWISE_OPERATIONS } from './elementwise-operations.js';
import type { GraphScope } from './graph-scope.js';
import { NETWORK_OPERATIONS } from './network-operations.js';
import { SHAPE_OPERATIONS } from './shape-operations.js';

export interface Operation {
  /** Adds nodes to a graph. */
  readonly add: (scope: GraphScope) => void;
  /** First opset that has it. Default 7. */
  readonly since?: number;
}

export const OPERATIONS: readonly Operation[] = [...ELEMENTWISE_OPERATIONS, ...NETWORK_OPERATIONS, ...SHAPE_OPERATIONS];
