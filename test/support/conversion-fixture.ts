/** A converted model against what its source computed: arrays that test/fixtures/conversion/record.py wrote beside the model. */
import { existsSync, readFileSync } from 'node:fs';
import type { Tensor as OrtTensor } from 'onnxruntime-node';
import { numpyElements } from '../../lib/compiler/data/numpy-elements.js';
import { openNumpyFile } from '../../lib/compiler/data/numpy-file.js';
import type { ElementType } from '../../lib/compiler/ir/element-type.js';
import type { Model } from '../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { Tensor, type TypedElements } from '../../lib/compiler/ir/tensor.js';
import { largestRelativeDifference, toOrt } from './compare-outputs.js';
import { type RunOptions, runModel } from './run-model.js';

export interface ConversionFixture {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly layers: Readonly<Record<string, Tensor>>;
  /** max|Δ| / max|y| that an output may have; 0 means equal bit for bit. */
  readonly tolerances: Readonly<Record<string, number>>;
}

/** @param prefix path without `.parity.npz` and `.tolerances.json` */
export async function readConversionFixture(prefix: string): Promise<ConversionFixture> {
  const fixture = { inputs: {}, outputs: {}, layers: {} } as Record<string, Record<string, Tensor>>;
  const file = await openNumpyFile(`${prefix}.parity.npz`, prefix, 'npz');
  try {
    for (const { name, header, bytes } of file.arrays) {
      const [kind = '', ...rest] = name.split('/');
      const size = header.shape.reduce((product, dim) => product * dim, 1) * header.itemBytes;
      const elements = numpyElements(await bytes.read(header.dataStart, size), header);
      const arrays = fixture[kind] ?? {};
      fixture[kind] = arrays;
      arrays[rest.join('/')] = Tensor.fromTyped(
        header.dataType as ElementType,
        header.shape,
        elements as TypedElements,
      );
    }
  } finally {
    await file.close();
  }
  const tolerances = existsSync(`${prefix}.tolerances.json`)
    ? JSON.parse(readFileSync(`${prefix}.tolerances.json`, 'utf8'))
    : {};
  return { ...(fixture as unknown as ConversionFixture), tolerances };
}

export interface OutputDifference {
  readonly output: string;
  /** max|Δ| / max|y|; Infinity where types or shapes differ, or the output is missing. */
  readonly difference: number;
  readonly tolerance: number;
}

/**
 * Runs a model on the recorded inputs, node by node unless told otherwise. Inputs and outputs are matched by name.
 * @param names what the model calls the source's inputs and outputs, where that differs
 */
export async function conversionDifferences(
  model: Model,
  fixture: ConversionFixture,
  names: Readonly<Record<string, string>> = {},
  options: RunOptions = {},
): Promise<OutputDifference[]> {
  const named = (name: string) => names[name] ?? name;
  const feeds = Object.fromEntries(
    Object.entries(fixture.inputs).map(([name, tensor]) => [named(name), toOrt(tensor)]),
  );
  const outputs = await runModel(modelToBytes(model), feeds, options);
  return Object.entries(fixture.outputs).map(([name, expected]) => {
    const actual = outputs[named(name)];
    const difference =
      actual === undefined
        ? Number.POSITIVE_INFINITY
        : largestRelativeDifference({ y: actual as OrtTensor }, { y: toOrt(expected) });
    return { output: name, difference, tolerance: fixture.tolerances[name] ?? 1e-5 };
  });
}

/** Those outputs that stray further than they may: a test expects none. */
export async function strayingOutputs(
  model: Model,
  fixture: ConversionFixture,
  names?: Readonly<Record<string, string>>,
  options?: RunOptions,
): Promise<OutputDifference[]> {
  const differences = await conversionDifferences(model, fixture, names, options);
  return differences.filter(({ difference, tolerance }) => !(difference <= tolerance));
}
