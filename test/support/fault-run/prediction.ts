/** Requests of predictions in the forms that callers use, and whether an answer is the right one. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { encodeInferRequest } from '../encode-infer-request.js';
import { type FunctionResult, httpEvent } from '../predict-function.js';
import { randomFloats } from '../random-numbers.js';
import { encodeWav } from '../wav-writer.js';
import { DENSE_INPUTS, DENSE_NAME, SAMPLE_RATE } from './dense-model.js';

/** `rows`: TensorFlow Serving's. `sound`: a WAV file for the model's task, one window long. */
export type PredictionForm = 'json' | 'binary' | 'rows' | 'sound';

export interface PredictionRequest {
  readonly number: number;
  readonly form: PredictionForm;
  readonly batch: number;
  readonly values: Float32Array;
  readonly body: string | Uint8Array;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** @param padding blanks behind the document */
export function predictionRequest(number: number, form: PredictionForm, batch: number, padding = 0): PredictionRequest {
  const values = randomFloats(batch * DENSE_INPUTS, number + 1);
  const common = { number, form, batch, values };
  if (form === 'rows') {
    const rows = Array.from({ length: batch }, (_, row) =>
      Array.from(values.subarray(row * DENSE_INPUTS, (row + 1) * DENSE_INPUTS)),
    );
    return {
      ...common,
      path: `/v1/models/${DENSE_NAME}:predict`,
      body: JSON.stringify({ instances: rows }),
      headers: {},
    };
  }
  if (form === 'sound') {
    const body = encodeWav(values, { sampleRate: SAMPLE_RATE, bits: 32, float: true });
    return { ...common, path: `/predict/${DENSE_NAME}`, body, headers: { 'content-type': 'audio/wav' } };
  }
  const { text, binary } = encodeInferRequest({
    id: idOf(number),
    inputs: [{ name: 'x', dataType: 'float32', shape: [batch, DENSE_INPUTS], data: values, form }],
    outputForm: form,
  });
  const path = `/v2/models/${DENSE_NAME}/infer`;
  const padded = text + ' '.repeat(padding);
  if (binary.length === 0) return { ...common, path, body: padded, headers: {} };
  const document = Buffer.from(padded);
  const headers = { 'inference-header-content-length': String(document.length) };
  return { ...common, path, body: Buffer.concat([document, ...binary]), headers };
}

/** In the body, where it is among the first bytes. */
export function idOf(number: number): string {
  return `request-${number}`;
}

/** @param number of the request, where the body is that of another one */
export function predictionEvent(
  request: PredictionRequest,
  headers: Readonly<Record<string, string>> = {},
  number = request.number,
): object {
  const { path, body } = request;
  return httpEvent({
    ...{ method: 'POST', path, body, headers: { ...request.headers, ...headers } },
    requestContext: { requestId: idOf(number), timeEpoch: Date.now() },
  });
}

/** Between probabilities: rounding of single precision, and of half precision. */
const TOLERANCE = { lambda: 1e-5, sagemaker: 2e-2 } as const;

/** What onnxruntime computes of the model as Lambda serves it. */
export class PredictionOracle {
  private constructor(private readonly session: InferenceSession) {}

  /** @param model path of the ONNX file */
  static async open(model: string): Promise<PredictionOracle> {
    return new PredictionOracle(await InferenceSession.create(model));
  }

  /** What is wrong with an answer of 200; undefined where it is the prediction that was asked for. */
  async fault(request: PredictionRequest, result: FunctionResult): Promise<string | undefined> {
    const by = result.headers['x-cdk-onnx-computed-by'];
    if (by !== 'lambda' && by !== 'sagemaker') return `computed by ${by}`;
    const { id, numbers } = readAnswer(request.form, result);
    const hasId = request.form === 'json' || request.form === 'binary';
    if (hasId && id !== idOf(request.number)) return `the answer of ${id}`;
    const { batch, values } = request;
    const { y } = await this.session.run({ x: new Tensor('float32', values, [batch, DENSE_INPUTS]) });
    const all = y?.data as Float32Array;
    // Of a window the task tells the first.
    const expected = request.form === 'sound' ? all.subarray(0, 1) : all;
    if (numbers.length !== expected.length) return `${numbers.length} numbers for a batch of ${batch}`;
    const isRight = numbers.every((value, index) => Math.abs(value - (expected[index] ?? Number.NaN)) <= TOLERANCE[by]);
    return isRight ? undefined : `${numbers.slice(0, 4)} in place of ${expected.slice(0, 4)} by ${by}`;
  }

  async close(): Promise<void> {
    await this.session.release();
  }
}

/** `id` is undefined where the form has none. */
function readAnswer(
  form: PredictionForm,
  { headers, body, isBase64Encoded }: FunctionResult,
): { readonly id: string | undefined; readonly numbers: readonly number[] } {
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
  if (form === 'rows') {
    const { predictions } = JSON.parse(bytes.toString('utf8')) as {
      readonly predictions: readonly (readonly number[])[];
    };
    return { id: undefined, numbers: predictions.flat() };
  }
  if (form === 'sound') {
    const { predictions } = JSON.parse(bytes.toString('utf8')) as {
      readonly predictions: readonly { readonly score: number }[];
    };
    return { id: undefined, numbers: predictions.map(({ score }) => score) };
  }
  const length = form === 'json' ? bytes.length : Number(headers['inference-header-content-length']);
  const { id, outputs } = JSON.parse(bytes.toString('utf8', 0, length)) as {
    readonly id: string;
    readonly outputs: readonly { readonly data: readonly number[] }[];
  };
  const raw = () => Array.from(new Float32Array(new Uint8Array(bytes.subarray(length)).buffer));
  return { id, numbers: form === 'json' ? (outputs[0]?.data ?? []) : raw() };
}
