import { describe, expect, it } from 'vitest';
import { modelMetadata, serverMetadata } from '../../lib/protocol/metadata.js';

describe('metadata', () => {
  it('of the server names the extensions that are there', () => {
    expect(serverMetadata('1.2.3')).toEqual({ name: 'cdk-onnx', version: '1.2.3', extensions: ['binary_tensor_data'] });
  });

  it('of a model has -1 for every size that is not fixed', () => {
    const document = modelMetadata({
      name: 'm',
      modelVersion: 2,
      signature: {
        inputs: [{ name: 'x', dataType: 'int64', shape: ['N', null, 3] }],
        outputs: [
          { name: 'y', dataType: 'string', shape: [] },
          { name: 'z', dataType: 'float16', shape: null },
        ],
      },
    });
    expect(document).toEqual({
      name: 'm',
      versions: ['2'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'x', datatype: 'INT64', shape: [-1, -1, 3] }],
      outputs: [
        { name: 'y', datatype: 'BYTES', shape: [] },
        { name: 'z', datatype: 'FP16', shape: [-1] },
      ],
    });
  });
});
