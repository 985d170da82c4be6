/** Whether an answer is one that a caller may get: a right prediction, a job, or a refusal that says why and what to do. */
import type { FunctionResult } from '../predict-function.js';
import { DENSE_NAME } from './dense-model.js';
import type { Asked, PlannedRequest } from './fault-plan.js';
import type { PredictionOracle, PredictionRequest } from './prediction.js';

export interface Judgement {
  /** What it was, to be counted. */
  readonly kind: string;
  /** What is wrong with it. */
  readonly fault?: string | undefined;
}

const JOB = new RegExp(`^/v2/models/${DENSE_NAME}/jobs/[\\w-]+$`);

export async function judge(
  planned: PlannedRequest,
  request: PredictionRequest | undefined,
  result: FunctionResult,
  oracle: PredictionOracle,
): Promise<Judgement> {
  const { statusCode, headers, body } = result;
  if (statusCode === 200) return await judgePrediction(planned, request, result, oracle);
  if (statusCode === 202) {
    const kind = '202 a job';
    return JOB.test(headers.location ?? '') ? { kind } : { kind, fault: `the job is at ${headers.location}` };
  }
  const { fault, code } = refusal(result);
  const kind = `${statusCode} ${code}`;
  if (fault !== undefined) return { kind, fault };
  return mayBe(planned, statusCode, code) ? { kind } : { kind, fault: `not to be expected: ${body.slice(0, 300)}` };
}

async function judgePrediction(
  { asked }: PlannedRequest,
  request: PredictionRequest | undefined,
  result: FunctionResult,
  oracle: PredictionOracle,
): Promise<Judgement> {
  if (asked.kind === 'metadata') {
    const fault = JSON.parse(result.body).name === DENSE_NAME ? undefined : `metadata of another model: ${result.body}`;
    return { kind: '200 metadata', fault };
  }
  const kind = `200 ${result.headers['x-cdk-onnx-computed-by']}: ${result.headers['x-cdk-onnx-reason']}`;
  if (asked.kind !== 'prediction' || request === undefined) return { kind, fault: 'a prediction of nothing' };
  try {
    return { kind, fault: await oracle.fault(request, result) };
  } catch (error) {
    return { kind, fault: `no prediction: ${error instanceof Error ? error.message : error}` };
  }
}

function refusal({ statusCode, headers, body, isBase64Encoded }: FunctionResult): {
  readonly code: string;
  readonly fault: string | undefined;
} {
  try {
    const { error, code, advice, ...others } = JSON.parse(body) as Record<string, unknown>;
    const isWellFormed =
      [error, code, advice].every((member) => typeof member === 'string' && member !== '') &&
      Object.keys(others).length === 0 &&
      headers['content-type'] === 'application/json' &&
      !isBase64Encoded &&
      (statusCode !== 503 || /^[1-9]\d?$/.test(headers['retry-after'] ?? ''));
    return {
      code: String(code),
      fault: isWellFormed ? undefined : `ill-formed: ${JSON.stringify({ headers, body: body.slice(0, 300) })}`,
    };
  } catch {
    return { code: '', fault: `no JSON: ${body.slice(0, 300)}` };
  }
}

/** A refusal for which the plan gives a reason. 503 has no need of one: what is ill may stay so for a while. */
function mayBe({ asked, lambda, gpu }: PlannedRequest, status: number, code: string): boolean {
  if (status === 503) return true;
  if (code === 'MODEL_REFUSED') return status === 400 && (asked.kind === 'invalid' || gpu === 'model error 400');
  if (code === 'PAYLOAD_TOO_LARGE')
    return status === 413 && (isPadded(asked) || lambda === 'event refused as too large');
  return asked.kind === 'invalid' && status >= 400 && status < 500;
}

function isPadded(asked: Asked): boolean {
  return asked.kind === 'prediction' && asked.padding > 0;
}
