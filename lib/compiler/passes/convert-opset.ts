/** Rewrites a model against a later version of the standard operators, a version at a time, or leaves it as it is. */
import { ConfigurationError } from '../../errors.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import { forEachGraph } from '../ir/traversal.js';
import { changesIn, isStandardOperator } from './opset/operator-versions.js';
import { Snapshot } from './opset/snapshot.js';
import { ConversionContext, type OpsetStep } from './opset/step.js';
import { OPSET_STEPS } from './opset/steps.js';
import type { ImmediatePass, PassResult } from './pass.js';

export const OLDEST_OPSET = 7;
export const NEWEST_OPSET = 21;

/**
 * What `build` converts to: quantization with axes needs 13, HardSwish 14, LayerNormalization 17. Not later, because
 * onnxruntime 1.30 runs AveragePool four times slower from 19 on; what needs more (Gelu 20, int4 21) asks for it.
 */
export const DEFAULT_OPSET = 18;

/** The IR version that came with each opset; onnx refuses an older one, onnxruntime reads it otherwise below 4. */
const IR_VERSIONS: readonly (readonly [opset: number, irVersion: number])[] = [
  [21, 10],
  [19, 9],
  [15, 8],
  [12, 7],
  [11, 6],
  [10, 5],
  [9, 4],
  [7, 3],
];

/**
 * Converts the standard operators, those in subgraphs included, to opset `target`; other domains stay as they are.
 * All or nothing: if a node cannot be converted without changing what it computes, the model keeps its opset and the
 * reason names the node, its operator and the version. Models of opset `target` or later are left alone. A model whose
 * functions use standard operators declines until its functions are inlined.
 * @throws ConfigurationError OPSET_TARGET for a target outside 7 to 21.
 */
export function convertOpset(target: number): ImmediatePass {
  if (!Number.isInteger(target) || target < OLDEST_OPSET || target > NEWEST_OPSET) {
    throw new ConfigurationError({
      code: 'OPSET_TARGET',
      message: `The opset to convert to is ${target}.`,
      advice: `Ask for one from ${OLDEST_OPSET} to ${NEWEST_OPSET}.`,
    });
  }
  return { name: `convert-opset-${target}`, run: (model) => convert(model, target) };
}

function convert(model: Model, target: number): PassResult {
  const from = model.opsetImports.get('');
  if (from === undefined || from >= target) return { modified: false };
  const reason = whyNot(model, from);
  if (reason !== undefined) return declined(from, target, reason);

  const snapshot = new Snapshot(model);
  const context = new ConversionContext(model);
  for (const step of OPSET_STEPS) {
    if (step.version <= from || step.version > target) continue;
    const failure = applyStep(model, step, context);
    if (failure !== undefined) {
      snapshot.restore();
      return declined(from, target, failure);
    }
  }
  model.opsetImports.set('', target);
  raiseIrVersion(model, target);
  return { modified: true };
}

function declined(from: number, target: number, reason: string): PassResult {
  return { modified: false, declined: [`opset ${from} to ${target}: ${reason}`] };
}

/** What rules a conversion out before it starts. */
function whyNot(model: Model, from: number): string | undefined {
  if (from < OLDEST_OPSET) return `operators older than opset ${OLDEST_OPSET} are not converted`;
  const withBody = model.functions.find(({ opsetImports }) => opsetImports.has(''));
  if (withBody !== undefined) {
    return `function '${withBody.name}' uses standard operators of its own version; inline functions first`;
  }
  for (const node of standardNodes(model)) {
    if (!isStandardOperator(node.opType, from)) return `${node.describe()} is no standard operator of opset ${from}`;
  }
  return undefined;
}

/** @returns why a node could not be converted, if one could not. */
function applyStep(model: Model, step: OpsetStep, context: ConversionContext): string | undefined {
  for (const node of standardNodes(model)) {
    if (!changesIn(node.opType, step.version) || step.unchanged.includes(node.opType)) continue;
    const converter = step.converters[node.opType];
    const label = node.describe();
    if (converter === undefined) return `${label} changed in opset ${step.version} in a way that is not known here`;
    const reason = converter(node, context);
    if (reason !== undefined) return `${label} cannot go to opset ${step.version}: ${reason}`;
  }
  return undefined;
}

/** A list, not a generator: converters add nodes. */
function standardNodes(model: Model): Node[] {
  const nodes: Node[] = [];
  forEachGraph(model.graph, (graph) => nodes.push(...graph.nodes.filter((node) => node.domain === '')));
  return nodes;
}

/** Below IR version 4 every initializer is listed as an input and no caller can override it; from 4 on being listed means just that. */
function raiseIrVersion(model: Model, target: number): void {
  const needed = IR_VERSIONS.find(([opset]) => target >= opset)?.[1] ?? 3;
  if (model.irVersion >= needed) return;
  if (model.irVersion < 4 && needed >= 4) {
    model.graph.setInputs(model.graph.inputs.filter((value) => value.initializer === undefined));
  }
  model.irVersion = needed;
}
