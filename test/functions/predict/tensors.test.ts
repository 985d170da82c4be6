/** The real function with the real runtime layer: what comes over HTTP is what onnxruntime computes. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataType } from '../../../lib/artifact/manifest.js';
import type { NamedTensor, TensorForm } from '../../../lib/protocol/tensor.js';
import { encodeInferRequest } from '../../support/encode-infer-request.js';
import { NODES_UNDER_TEST, requireNode } from '../../support/node24.js';
import {
  type FunctionResult,
  type PreparedFunction,
  prepareFunction,
  type RunningFunction,
} from '../../support/predict-function.js';
import {
  type ServedArtifact,
  writeEchoArtifact,
  writeFaceArtifact,
  writeLogarithmArtifact,
} from '../../support/served-artifact.js';

let prepared: PreparedFunction;
const artifacts: ServedArtifact[] = [];
const kept = (artifact: ServedArtifact) => {
  artifacts.push(artifact);
  return artifact;
};
const running: RunningFunction[] = [];
async function start(artifact: ServedArtifact, node = process.execPath): Promise<RunningFunction> {
  const environment = await prepared.start({ artifact: artifact.folder, node });
  running.push(environment);
  return environment;
}

beforeAll(async () => {
  prepared = await prepareFunction();
});
afterAll(async () => {
  await Promise.all(running.map((environment) => environment.stop()));
  for (const artifact of artifacts) artifact.remove();
  prepared.remove();
});

function infer(
  environment: RunningFunction,
  model: string,
  inputs: readonly (NamedTensor & { readonly form: TensorForm })[],
  rest: Omit<Parameters<typeof encodeInferRequest>[0], 'inputs'> = {},
): Promise<FunctionResult> {
  const { text, binary } = encodeInferRequest({ inputs, ...rest });
  const path = `/v2/models/${model}/infer`;
  if (binary.length === 0) return environment.post(path, text);
  const document = Buffer.from(text);
  return environment.post(path, Buffer.concat([document, ...binary]), {
    'inference-header-content-length': String(document.length),
  });
}

interface BinaryOutput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: Buffer;
}

/** A client of its own for answers whose every output is binary. */
function readBinaryAnswer({ statusCode, headers, body, isBase64Encoded }: FunctionResult): BinaryOutput[] {
  expect({ statusCode, isBase64Encoded, type: headers['content-type'] }).toEqual({
    statusCode: 200,
    isBase64Encoded: true,
    type: 'application/octet-stream',
  });
  const bytes = Buffer.from(body, 'base64');
  let offset = Number(headers['inference-header-content-length']);
  const { outputs } = JSON.parse(bytes.toString('utf8', 0, offset));
  const read = outputs.map(
    ({ name, shape, parameters }: { name: string; shape: number[]; parameters: { binary_data_size: number } }) => {
      const part = bytes.subarray(offset, offset + parameters.binary_data_size);
      offset += parameters.binary_data_size;
      return { name, shape, bytes: part };
    },
  );
  expect(offset).toBe(bytes.length);
  return read;
}

describe.each(NODES_UNDER_TEST)('the face detector on $name', (target) => {
  // A picture of no meaning, the same on every run.
  const pixels = Float32Array.from(
    { length: 256 * 256 * 3 },
    (_, index) => Math.sin(index * 0.37) * Math.cos(index * 0.011),
  );
  const input = { name: 'input:0', dataType: 'float32', shape: [1, 256, 256, 3], data: pixels } as const;

  it('answers bit for bit what onnxruntime answers, and the same numbers in JSON', async ({ skip }) => {
    const node = requireNode(target, skip);
    const artifact = kept(writeFaceArtifact());
    const session = await InferenceSession.create(artifact.model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
    const expected = await session.run({ 'input:0': new Tensor('float32', pixels, [1, 256, 256, 3]) });
    const environment = await start(artifact, node);

    const outputs = readBinaryAnswer(
      await infer(environment, 'faces', [{ ...input, form: 'binary' }], { outputForm: 'binary' }),
    );
    expect(outputs.map(({ name }) => name)).toEqual(['Identity:0', 'Identity_1:0', 'Identity_2:0', 'Identity_3:0']);
    for (const { name, shape, bytes } of outputs) {
      const tensor = expected[name] as Tensor;
      const data = tensor.data as Float32Array;
      expect(shape).toEqual(tensor.dims);
      expect(bytes.equals(Buffer.from(data.buffer, data.byteOffset, data.byteLength)), name).toBe(true);
      // Not a tensor of zeros, which would be equal for the wrong reason.
      expect(new Set(data).size).toBeGreaterThan(300);
    }

    const json = await infer(environment, 'faces', [{ ...input, form: 'json' }], { id: 'request 7' });
    const document = JSON.parse(json.body);
    expect(document).toMatchObject({ model_name: 'faces', model_version: '3', id: 'request 7' });
    for (const { name, data } of document.outputs) {
      expect(data, name).toEqual(Array.from((expected[name] as Tensor).data as Float32Array));
    }
  });

  it('computes the outputs that were asked for, each in its form', async ({ skip }) => {
    const node = requireNode(target, skip);
    const environment = await start(kept(writeFaceArtifact()), node);
    const result = await infer(environment, 'faces', [{ ...input, form: 'binary' }], {
      outputs: [
        { name: 'Identity_3:0', form: 'binary' },
        { name: 'Identity:0', form: 'json' },
      ],
    });
    const bytes = Buffer.from(result.body, 'base64');
    const length = Number(result.headers['inference-header-content-length']);
    const { outputs } = JSON.parse(bytes.toString('utf8', 0, length));
    expect(outputs).toHaveLength(2);
    expect(outputs[0]).toEqual({
      name: 'Identity_3:0',
      datatype: 'FP32',
      shape: [1, 384, 16],
      parameters: { binary_data_size: 384 * 16 * 4 },
    });
    expect(bytes.length - length).toBe(384 * 16 * 4);
    expect(outputs[1].data).toHaveLength(512);
  });
});

describe.each(NODES_UNDER_TEST)('tensors of every type on $name', (target) => {
  const TENSORS = [
    {
      name: 'int64',
      dataType: 'int64',
      shape: [3],
      data: BigInt64Array.of(9007199254740993n, -(2n ** 63n), 2n ** 63n - 1n),
    },
    { name: 'float32', dataType: 'float32', shape: [4], data: Float32Array.of(-0, 0.1, 3.4028234663852886e38, 1e-45) },
    { name: 'float64', dataType: 'float64', shape: [2], data: Float64Array.of(Math.PI, -0) },
    { name: 'int32', dataType: 'int32', shape: [2], data: Int32Array.of(-(2 ** 31), 7) },
    { name: 'uint8', dataType: 'uint8', shape: [1, 2], data: Uint8Array.of(0, 255) },
    { name: 'int8', dataType: 'int8', shape: [2], data: Int8Array.of(-128, 127) },
    { name: 'bool', dataType: 'bool', shape: [2], data: Uint8Array.of(1, 0) },
    { name: 'float16', dataType: 'float16', shape: [3], data: Uint16Array.of(0x3c00, 0x8000, 0x7bff) },
    { name: 'uint64', dataType: 'uint64', shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
    { name: 'string', dataType: 'string', shape: [2], data: ['grüße', ''] },
    { name: 'nothing', dataType: 'float32', shape: [0, 3], data: new Float32Array() },
  ] as const satisfies readonly NamedTensor[];

  it('go through the model and come back exact, in JSON and in the binary form', async ({ skip }) => {
    const node = requireNode(target, skip);
    const echo = kept(
      writeEchoArtifact(TENSORS.map(({ name, dataType, shape }) => ({ name, dataType, shape: shape.map(() => null) }))),
    );
    const environment = await start(echo, node);
    const json = await infer(
      environment,
      'echo',
      TENSORS.map((tensor) => ({ ...tensor, form: 'json' as const })),
    );
    expect(json.statusCode, json.body).toBe(200);
    expect(json.body).toContain('"data":[9007199254740993,-9223372036854775808,9223372036854775807]');
    expect(json.body).toContain('"data":[18446744073709551615]');
    const { outputs } = JSON.parse(json.body);
    const dataOf = (name: string) => outputs.find((output: { name: string }) => output.name === `${name}_out`).data;
    expect(dataOf('float32').map(Math.fround)).toEqual(Array.from(TENSORS[1].data));
    expect(dataOf('float64')).toEqual([Math.PI, -0]);
    expect(dataOf('bool')).toEqual([true, false]);
    expect(dataOf('float16')).toEqual([1, -0, 65504]);
    expect(dataOf('string')).toEqual(['grüße', '']);
    expect(dataOf('nothing')).toEqual([]);

    const inputs = TENSORS.map((tensor) => ({ ...tensor, form: 'binary' as const }));
    const request = encodeInferRequest({ inputs });
    const answers = readBinaryAnswer(await infer(environment, 'echo', inputs, { outputForm: 'binary' }));
    expect(answers.map(({ bytes }) => bytes.toString('hex'))).toEqual(
      request.binary.map((bytes) => Buffer.from(bytes).toString('hex')),
    );
  });
});

describe('requests at once and one after the other', () => {
  it('get their own numbers back, whatever memory their bodies lie in', async () => {
    const environment = await start(kept(writeEchoArtifact([{ name: 'numbers', dataType: 'float64', shape: [null] }])));
    const ask = async (value: number) => {
      const data = new Float64Array(10_000 + value).fill(value);
      const input = { name: 'numbers', dataType: 'float64', shape: [data.length], data, form: 'binary' } as const;
      const [answer] = readBinaryAnswer(await infer(environment, 'echo', [input], { outputForm: 'binary' }));
      expect(answer?.bytes.equals(Buffer.from(data.buffer)), `numbers of request ${value}`).toBe(true);
    };
    for (let round = 0; round < 3; round++) {
      await Promise.all(Array.from({ length: 8 }, (_, index) => ask(round * 100 + index)));
      await ask(1000);
    }
  });
});

describe('outputs that JSON cannot write', () => {
  it('are an error that names the binary form, and come in the binary form', async () => {
    const environment = await start(kept(writeLogarithmArtifact()));
    const x = { name: 'x', dataType: 'float32' as DataType, shape: [3], data: Float32Array.of(1, 0, -1) };
    const refused = await infer(environment, 'logarithm', [{ ...x, form: 'json' }]);
    expect(refused.statusCode).toBe(422);
    expect(JSON.parse(refused.body)).toMatchObject({
      code: 'NON_FINITE_OUTPUT',
      advice: expect.stringContaining('binary'),
    });

    const [answer] = readBinaryAnswer(
      await infer(environment, 'logarithm', [{ ...x, form: 'json' }], { outputForm: 'binary' }),
    );
    const bytes = Uint8Array.from(answer?.bytes ?? []);
    expect(Array.from(new Float32Array(bytes.buffer))).toEqual([0, Number.NEGATIVE_INFINITY, Number.NaN]);
  });
});
