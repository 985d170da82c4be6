import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeTflite } from '../../../../lib/compiler/formats/tflite/decode.js';
import type { TfliteModel, TfliteOperator, TfliteTensor } from '../../../../lib/compiler/formats/tflite/model.js';
import { countOperators } from '../../../../lib/compiler/ir/summary.js';
import { openModel } from '../../../../lib/compiler/readers/read-model.js';
import { modelFromTflite } from '../../../../lib/compiler/readers/tflite/convert.js';
import { readTflite } from '../../../../lib/compiler/readers/tflite/read.js';
import { readConversionFixture, strayingOutputs } from '../../../support/conversion-fixture.js';
import { refusalOf } from '../../../support/refusal.js';

const fixture = (name: string) => join(import.meta.dirname, '../../../fixtures/conversion/tflite', name);
const decoded = (name: string) => decodeTflite(new Uint8Array(readFileSync(fixture(`${name}.tflite`))));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-tflite-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A model whose operators are others. */
function withOperators(model: TfliteModel, change: (operator: TfliteOperator) => Partial<TfliteOperator>): TfliteModel {
  const subgraphs = model.subgraphs.map((subgraph) => ({
    ...subgraph,
    operators: subgraph.operators.map((operator) => ({ ...operator, ...change(operator) })),
  }));
  return { ...model, subgraphs };
}

function withTensors(model: TfliteModel, change: (tensor: TfliteTensor) => Partial<TfliteTensor>): TfliteModel {
  const subgraphs = model.subgraphs.map((subgraph) => ({
    ...subgraph,
    tensors: subgraph.tensors.map((tensor) => ({ ...tensor, ...change(tensor) })),
  }));
  return { ...model, subgraphs };
}

describe('a TensorFlow Lite file', () => {
  it('is told by its content, whatever its name', async () => {
    const path = join(folder, 'model.onnx');
    writeFileSync(path, readFileSync(fixture('matrix.tflite')));
    await using opened = await openModel(path);
    expect(opened.reader.name).toBe('TensorFlow Lite');
  });

  it("gives inputs and outputs the names of its signature, and the tensors' where it has none", () => {
    const named = modelFromTflite(decoded('open-batch'));
    expect(named.graph.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(named.graph.outputs.map(({ name }) => name).sort()).toEqual(['larger', 'mean', 'probabilities']);
    const plain = modelFromTflite({ ...decoded('open-batch'), signatures: [] });
    expect(plain.graph.inputs.map(({ name }) => name)).toEqual(['serving_default_x:0']);
    expect(plain.graph.outputs.map(({ name }) => name)).toContain('PartitionedCall:1');
  });

  it('takes any number of pictures where its signature leaves that open', () => {
    const { graph } = modelFromTflite(decoded('open-batch'));
    const shapes = Object.fromEntries([...graph.inputs, ...graph.outputs].map(({ name, type }) => [name, type]));
    expect(shapes).toMatchObject({
      x: { shape: ['N', 7, 8, 3] },
      probabilities: { shape: ['N', 5] },
      larger: { shape: ['N', 8, 6, 4] },
      mean: { shape: ['N', 4] },
    });
  });

  it('computes no sizes when it runs where the file says what they are', () => {
    expect([...countOperators(modelFromTflite(decoded('open-batch'))).keys()]).not.toContain('Shape');
  });

  it('may keep its weights behind the flatbuffer, as models of more than 2 GiB do', async () => {
    const model = await readTflite(fixture('outside.tflite'));
    expect(await strayingOutputs(model, await readConversionFixture(fixture('handmade')))).toEqual([]);
    const bytes = new Uint8Array(readFileSync(fixture('outside.tflite')));
    const { code, message } = await refusalOf(() => decodeTflite(bytes.slice(0, -40)));
    expect(code).toBe('TFLITE_BUFFER');
    expect(message).toMatch(/Model\.buffers\[\d+\] lies at bytes/);
  });

  it('names its nodes after its tensors', () => {
    const names = modelFromTflite(decoded('matrix')).graph.nodes.map((node) => node.name);
    expect(names.some((name) => name.includes('MatMul'))).toBe(true);
    expect(new Set(names).size).toBe(names.length);
  });

  it('stays quantized', () => {
    const counts = countOperators(modelFromTflite(decoded('quantized-net')));
    expect(counts.get('DequantizeLinear')).toBeGreaterThan(5);
    const weights = [...modelFromTflite(decoded('quantized-net')).graph.initializers].filter(({ rank }) => rank === 4);
    expect(weights.map(({ elementType }) => elementType)).toEqual(['int8', 'int8', 'int8']);
  });
});

describe('what cannot be converted is refused', () => {
  it('with each kind of operator and how often it occurs', async () => {
    const foreign = withOperators(decoded('elementwise'), ({ code, index }) => {
      if (code === 'COS') return { code: 'SVDF' };
      if (code === 'SIN') return { code: 'CUSTOM', customCode: 'FlexErf' };
      return index < 2 ? { code: 'CUSTOM', customCode: 'MyOperator' } : {};
    });
    const { code, message } = await refusalOf(() => modelFromTflite(foreign));
    expect(code).toBe('OPERATOR_UNSUPPORTED');
    expect(message).toContain('4 operators of 3 kinds');
    expect(message).toContain('MyOperator, 2 ×');
    expect(message).toMatch(/FlexErf, 1 ×.*SELECT_TF_OPS/);
    expect(message).toContain('SVDF, 1 ×');
  });

  it('in the subgraphs too that its operators call', async () => {
    const model = decoded('control-flow');
    const [main, ...others] = model.subgraphs;
    const broken = withOperators({ ...model, subgraphs: others }, () => ({ code: 'SVDF' }));
    const { code } = await refusalOf(() =>
      modelFromTflite({ ...model, subgraphs: [main as never, ...broken.subgraphs] }),
    );
    expect(code).toBe('OPERATOR_UNSUPPORTED');
  });

  it('where subgraphs call themselves', async () => {
    const model = withOperators(decoded('control-flow'), ({ code, options }) => {
      if (code !== 'IF' || options === undefined) return {};
      return { options: { ...options, fields: { thenSubgraph: 0, elseSubgraph: 0 } } };
    });
    expect((await refusalOf(() => modelFromTflite(model))).code).toBe('SUBGRAPH_SIGNATURE');
  });

  it('where it takes texts', async () => {
    const texts = withTensors(decoded('matrix'), ({ index }) => (index === 0 ? { type: 'STRING' } : {}));
    const { code, message, advice } = await refusalOf(() => modelFromTflite(texts));
    expect(code).toBe('TENSOR_TYPE_UNSUPPORTED');
    expect(message).toContain('STRING');
    expect(advice).toContain('tokens');
  });

  it("where an operator needs what only a run knows, with the operator's place", async () => {
    const model = decoded('reduce');
    const computed = withOperators(model, ({ code, inputs }) =>
      code === 'CUMSUM' ? { inputs: [inputs[0], inputs[0]] } : {},
    );
    const { code, message } = await refusalOf(() => modelFromTflite(computed));
    expect(code).toBe('CONSTANT_NEEDED');
    expect(message).toMatch(/^CUMSUM '.+' \(operator \d+\) computes the axis/);
  });

  it('where a tensor is read before it is written', async () => {
    const [main] = decoded('matrix').subgraphs;
    const backwards = {
      ...decoded('matrix'),
      subgraphs: [{ ...main, operators: [...(main?.operators ?? [])].reverse() }],
    };
    expect((await refusalOf(() => modelFromTflite(backwards as TfliteModel))).code).toBe('TENSOR_UNDEFINED');
  });
});
