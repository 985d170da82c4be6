import type { Model } from '../../lib/compiler/ir/model.js';

/**
 * The text detector ends in a Sigmoid whose float32 form moves in steps of 6e-8 and which is steep where text begins: rounding is compared
 * in front of it. Other models are left as they are.
 */
export function compareInFrontOfSigmoid(model: Model): void {
  const [output] = model.graph.outputs;
  const logits = output?.producer?.is('Sigmoid') ? output.producer.input(0) : undefined;
  if (logits === undefined || model.graph.outputs.length > 1) return;
  logits.type = { kind: 'tensor', elementType: 'float32', shape: undefined };
  model.graph.setOutputs([logits]);
}
