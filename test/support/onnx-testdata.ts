/** Debian's libonnx-testdata: operator test models with recorded inputs and outputs. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { TensorProtoSchema } from 'onnx-buf';
import type { Model } from '../../lib/compiler/ir/model.js';
import { tensorFromProto } from '../../lib/compiler/ir/serialization/tensor-proto.js';
import type { Tensor } from '../../lib/compiler/ir/tensor.js';

const ROOT = '/usr/share/libonnx-testdata/data';

export const hasOnnxTestdata = existsSync(ROOT);

export interface TestModel {
  /** `node/test_abs` and the like. */
  readonly name: string;
  readonly path: string;
  /** Folders with input_0.pb, …, output_0.pb, …. */
  readonly dataSets: readonly string[];
}

/** Every model, in alphabetical order. */
export function testModels(): TestModel[] {
  const models: TestModel[] = [];
  for (const group of readdirSync(ROOT).sort()) {
    for (const name of readdirSync(join(ROOT, group)).sort()) {
      const folder = join(ROOT, group, name);
      const path = join(folder, 'model.onnx');
      if (!existsSync(path)) continue;
      const dataSets = readdirSync(folder).filter((entry) => entry.startsWith('test_data_set'));
      models.push({ name: `${group}/${name}`, path, dataSets: dataSets.sort().map((entry) => join(folder, entry)) });
    }
  }
  return models;
}

/** The recorded inputs of a data set by the model's input names, or undefined if one is no tensor. */
export function recordedInputs(model: Model, dataSet: string): Record<string, Tensor> | undefined {
  const names = model.graph.inputs.filter((value) => value.initializer === undefined).map((value) => value.name);
  const inputs: Record<string, Tensor> = {};
  for (const [index, name] of names.entries()) {
    const tensor = readTensor(join(dataSet, `input_${index}.pb`));
    if (tensor === undefined) return undefined;
    inputs[name] = tensor;
  }
  return inputs;
}

function readTensor(path: string): Tensor | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return tensorFromProto(fromBinary(TensorProtoSchema, readFileSync(path)), path);
  } catch {
    // Sequences and optionals are other messages.
    return undefined;
  }
}
