/** A process of its own, bundled for an emulated CPU: applies a plan to a model and prints the sha256 of the bytes that come of it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ElementType } from '../../lib/compiler/ir/element-type.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { applyPlan } from '../../lib/compiler/quantize/apply-plan.js';
import type { QuantizationPlan, QuantizedWeight } from '../../lib/compiler/quantize/plan.js';
import { readOnnx } from '../../lib/compiler/readers/onnx.js';

interface WrittenTensor {
  readonly elementType: ElementType;
  readonly dims: readonly number[];
  readonly bytes: string;
}

interface WrittenPlan {
  readonly recipes: QuantizationPlan['recipes'];
  readonly activations: QuantizationPlan['activations'];
  readonly weights: readonly (readonly [string, WrittenTensor])[];
  readonly quantizedWeights: readonly (readonly [string, WrittenTensor, QuantizedWeight['parameters']])[];
}

/** The plan as JSON, every bit of its tensors kept. */
export function writePlan(plan: QuantizationPlan): string {
  const write = (tensor: Tensor): WrittenTensor => {
    const { elementType, dims } = tensor;
    return { elementType, dims, bytes: Buffer.from(tensor.bytes()).toString('base64') };
  };
  const written: WrittenPlan = {
    recipes: plan.recipes,
    activations: plan.activations,
    weights: [...plan.weights].map(([name, tensor]) => [name, write(tensor)]),
    quantizedWeights: [...plan.quantizedWeights].map(([name, weight]) => [
      name,
      write(weight.integers),
      weight.parameters,
    ]),
  };
  return JSON.stringify(written);
}

export function readPlan(json: string): QuantizationPlan {
  const { recipes, activations, weights, quantizedWeights } = JSON.parse(json) as WrittenPlan;
  const read = ({ elementType, dims, bytes }: WrittenTensor) =>
    new Tensor(elementType, dims, { kind: 'bytes', bytes: new Uint8Array(Buffer.from(bytes, 'base64')) });
  return {
    recipes,
    activations,
    weights: new Map(weights.map(([name, tensor]) => [name, read(tensor)])),
    quantizedWeights: new Map(
      quantizedWeights.map(([name, tensor, parameters]) => [name, { integers: read(tensor), parameters }]),
    ),
  };
}

export async function appliedDigest(modelFile: string, planFile: string): Promise<string> {
  const model = await readOnnx(modelFile);
  const { declined } = applyPlan(model, readPlan(readFileSync(planFile, 'utf8')));
  if (declined.length > 0) throw new Error(`the plan could not be followed: ${JSON.stringify(declined)}`);
  return createHash('sha256').update(modelToBytes(model)).digest('hex');
}

const [, , modelFile, planFile, isProcess] = process.argv;
if (isProcess === 'apply' && modelFile !== undefined && planFile !== undefined) {
  process.stdout.write(`${process.arch} ${await appliedDigest(modelFile, planFile)}`);
}
