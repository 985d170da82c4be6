/**
 * Ranges that serve where a value's own was not recorded. A search records ranges once, for all nodes together, and then quantizes some of
 * them: what shared its neighbour's parameters then may stand alone now.
 */
import type { Value } from '../../../ir/value.js';
import { sharesInput } from './operators.js';

/** The next value whose range covers what anyone makes of this one; undefined where there is none. */
export function standInOf(value: Value): Value | undefined {
  const { producer, soleConsumer } = value;
  if (producer !== undefined && sharesInput(producer)) return producer.input(0);
  // What it cuts off is of no use to anyone.
  return soleConsumer?.is('Relu', 'Clip') === true && soleConsumer.input(0) === value
    ? soleConsumer.output()
    : undefined;
}

/** Whether a value lies between 0 and 1 whatever the input. */
export function isUnit(value: Value): boolean {
  return value.producer?.is('Softmax') ?? false;
}
