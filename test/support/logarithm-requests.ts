/** Inferences with the model y = log(x), in JSON and with binary tensors, and whether their answers are what onnxruntime computes. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { TensorForm } from '../../lib/protocol/tensor.js';
import { encodeInferRequest } from './encode-infer-request.js';
import type { FunctionResult } from './predict-function.js';
import { randomFloats } from './random-numbers.js';

export interface LogarithmRequest {
  readonly path: string;
  readonly body: string | Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly values: Float32Array;
  readonly form: TensorForm;
}

/** @param seed chooses the numbers, and says which answer belongs to it */
export function logarithmRequest(seed: number, form: TensorForm, count = 4): LogarithmRequest {
  const values = randomFloats(count, seed, 0.01, 100);
  const { text, binary } = encodeInferRequest({
    id: `request-${seed}`,
    inputs: [{ name: 'x', dataType: 'float32', shape: [count], data: values, form }],
    outputForm: form,
  });
  const path = '/v2/models/logarithm/infer';
  if (binary.length === 0) return { path, body: text, headers: {}, values, form };
  const document = Buffer.from(text);
  const headers = { 'inference-header-content-length': String(document.length) };
  return { path, body: Buffer.concat([document, ...binary]), headers, values, form };
}

export class LogarithmOracle {
  private constructor(private readonly session: InferenceSession) {}

  static async open(model: string): Promise<LogarithmOracle> {
    return new LogarithmOracle(await InferenceSession.create(model));
  }

  /** What is wrong with an answer; undefined where it is the prediction. */
  async fault(request: LogarithmRequest, result: FunctionResult, seed: number): Promise<string | undefined> {
    if (result.statusCode !== 200) return `status ${result.statusCode}: ${result.body}`;
    const { id, computed } = readAnswer(result, request.form);
    if (id !== `request-${seed}`) return `the answer of ${id} for request-${seed}`;
    const { y } = await this.session.run({ x: new Tensor('float32', request.values, [request.values.length]) });
    const expected = Array.from((y?.data ?? []) as Float32Array);
    const isEqual = computed.length === expected.length && computed.every((value, index) => value === expected[index]);
    return isEqual ? undefined : `${computed.slice(0, 4)} in place of ${expected.slice(0, 4)}`;
  }

  async close(): Promise<void> {
    await this.session.release();
  }
}

function readAnswer({ headers, body, isBase64Encoded }: FunctionResult, form: TensorForm) {
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
  const length = form === 'json' ? bytes.length : Number(headers['inference-header-content-length']);
  const { id, outputs } = JSON.parse(bytes.toString('utf8', 0, length)) as {
    readonly id: string;
    readonly outputs: readonly { readonly data: readonly number[] }[];
  };
  const computed =
    form === 'json'
      ? (outputs[0]?.data ?? []).map(Math.fround)
      : Array.from(new Float32Array(new Uint8Array(bytes.subarray(length)).buffer));
  return { id, computed };
}
