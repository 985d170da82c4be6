/** What onnxruntime-node can run, and what our endpoints can take in and give out. */
import type { ElementType } from '../element-type.js';
import type { Model } from '../model.js';
import { nodesOf } from '../traversal.js';
import type { Value } from '../value.js';
import type { Problem } from './problem.js';

/** The operator domains compiled into onnxruntime; its Node.js binding registers no others. */
export const RUNTIME_DOMAINS: ReadonlySet<string> = new Set([
  '',
  'ai.onnx.ml',
  'ai.onnx.training',
  'ai.onnx.preview.training',
  'com.microsoft',
  'com.microsoft.experimental',
  'com.microsoft.nchwc',
  'com.ms.internal.nhwc',
  'org.pytorch.aten',
]);

/** Element types that the protocol and the runtime's JavaScript tensors both have. */
const SIGNATURE_TYPES: ReadonlySet<ElementType> = new Set<ElementType>([
  'float32',
  'float64',
  'float16',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'bool',
  'string',
]);

export function supportProblems(model: Model): Problem[] {
  return [...irVersionProblems(model), ...domainProblems(model), ...signatureProblems(model)];
}

function irVersionProblems(model: Model): Problem[] {
  if (model.irVersion >= 1) return [];
  return [
    {
      code: 'MODEL_IR_VERSION',
      message: 'The model says no IR version.',
      advice: 'Check that the file is an ONNX model, and export it again.',
    },
  ];
}

function domainProblems(model: Model): Problem[] {
  const problems = new Map<string, Problem>();
  const defined = new Set(model.functions.map((fn) => JSON.stringify([fn.domain, fn.name])));
  for (const node of nodesOf(model)) {
    const { domain, opType } = node;
    if (RUNTIME_DOMAINS.has(domain) || problems.has(domain) || defined.has(JSON.stringify([domain, opType]))) continue;
    problems.set(domain, {
      code: 'UNKNOWN_DOMAIN',
      message: `${node.describe()} belongs to the operator domain '${domain}', which onnxruntime-node does not have.`,
      advice:
        'Custom operators need a runtime of their own: export the model with standard operators, or as model-local functions.',
    });
  }
  return [...problems.values()];
}

function signatureProblems(model: Model): Problem[] {
  const problems: Problem[] = [];
  for (const value of model.graph.inputs) {
    if (!model.graph.initializers.has(value)) problems.push(...valueProblems(value, 'input'));
  }
  for (const value of model.graph.outputs) problems.push(...valueProblems(value, 'output'));
  return problems;
}

function valueProblems(value: Value, role: 'input' | 'output'): Problem[] {
  const { producer, type } = value;
  const zipMap = producer?.opType === 'ZipMap' && producer.domain === 'ai.onnx.ml' ? producer : undefined;
  if (zipMap !== undefined || type?.kind === 'opaque') {
    const what = zipMap !== undefined ? 'sequence of maps' : describeContainer(type);
    return [
      {
        code: 'SIGNATURE_CONTAINER',
        message: `The ${role} '${value.name}' is a ${what}; endpoints pass tensors only.`,
        advice:
          zipMap === undefined
            ? 'Export the model with tensors as inputs and outputs.'
            : `Take out the ZipMap: export with zipmap=False (skl2onnx), or make '${zipMap.input(0)?.name ?? ''}', the probabilities in front of it, the output.`,
      },
    ];
  }
  if (type === undefined || type.kind !== 'tensor' || SIGNATURE_TYPES.has(type.elementType)) return [];
  return [
    {
      code: 'SIGNATURE_TYPE',
      message: `The ${role} '${value.name}' is a tensor of ${type.elementType}, which cannot be passed to or from onnxruntime-node.`,
      advice: `Put a Cast to or from float32 ${role === 'input' ? 'behind that input' : 'in front of that output'}.`,
    },
  ];
}

function describeContainer(type: Value['type']): string {
  const kind = type?.kind === 'opaque' ? type.proto.value.case : undefined;
  switch (kind) {
    case 'sequenceType':
      return 'sequence';
    case 'mapType':
      return 'map';
    case 'optionalType':
      return 'optional';
    default:
      return 'sparse tensor';
  }
}
