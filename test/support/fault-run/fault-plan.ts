/** What is asked and what goes wrong, request by request: the same for a seed, whatever the machine does. */
import { awsError, functionError } from '../aws-answers.js';
import type { ServiceFault } from '../faulty-service.js';
import { randomFloats } from '../random-numbers.js';
import { modelError } from '../triton-on-sagemaker.js';
import type { PredictionForm } from './prediction.js';

const container = (status: number, message: string): ServiceFault => {
  const answer = modelError(status, message);
  return { kind: 'answer', status: answer.status, headers: answer.headers, body: answer.body.toString() };
};

const BROKEN = {
  'connection reset': { kind: 'reset', when: 'before-work' },
  'lost acknowledgement': { kind: 'reset', when: 'before-answer' },
  'half-written body': { kind: 'reset', when: 'within-answer' },
  'body cut short': { kind: 'cut-short' },
  silence: { kind: 'stall', when: 'before-work' },
  'stuck within the body': { kind: 'stall', when: 'within-answer' },
  'slow body': { kind: 'trickle', pieces: 5, pause: 60 },
} as const satisfies Record<string, ServiceFault>;

export const LAMBDA_FAULTS = {
  ...BROKEN,
  throttled: awsError(429, 'TooManyRequestsException'),
  'service exception': awsError(500, 'ServiceException'),
  'function not ready': awsError(502, 'ResourceNotReadyException'),
  'event refused as too large': awsError(413, 'RequestTooLargeException'),
  'function error': functionError('TypeError', 'x is not a function'),
  'no result of HTTP': { kind: 'answer', status: 200, body: '{"statusCode":' },
  slow: { kind: 'delay', milliseconds: 400 },
} as const satisfies Record<string, ServiceFault>;

/** Ends of the process that computes, by the names that predict-probe.cjs has for them. */
export const PROCESS_FAULTS = ['kill', 'stop', 'exit', 'out-of-memory'] as const;

export const GPU_FAULTS = {
  ...BROKEN,
  'cold: model not ready': awsError(429, 'ModelNotReadyException'),
  'cold: slow': { kind: 'delay', milliseconds: 500 },
  'service unavailable': awsError(503, 'ServiceUnavailable'),
  'internal failure': awsError(500, 'InternalFailure'),
  'model error 400': container(400, '{"error":"unexpected shape for input \'x\'"}'),
  'model error 500': container(500, '{"error":"CUDA error: device-side assert triggered"}'),
  'queue full': container(400, '{"error":"Exceeds maximum queue size"}'),
} as const satisfies Record<string, ServiceFault>;

export type LambdaFault = keyof typeof LAMBDA_FAULTS;
export type ProcessFault = (typeof PROCESS_FAULTS)[number];
export type GpuFault = keyof typeof GPU_FAULTS;

/** Of a service that is down: it says so at once, or takes no connection. */
const DOWN = {
  lambda: ['throttled', 'service exception', 'connection reset'],
  gpu: ['service unavailable', 'internal failure', 'connection reset'],
} as const satisfies { readonly lambda: readonly LambdaFault[]; readonly gpu: readonly GpuFault[] };

export type Asked =
  /** `padding`: so many blanks behind the document. */
  | { readonly kind: 'prediction'; readonly form: PredictionForm; readonly batch: number; readonly padding: number }
  | { readonly kind: 'metadata' }
  /** No request for this model. */
  | { readonly kind: 'invalid' };

export interface PlannedRequest {
  readonly number: number;
  /** The number that the body is made of: another one's where a caller sends the same request again. */
  readonly content: number;
  /** Of a request that may become a job; the same for the same content. */
  readonly key: string | undefined;
  readonly phase: Phase;
  readonly asked: Asked;
  readonly lambda: LambdaFault | undefined;
  readonly process: ProcessFault | undefined;
  readonly gpu: GpuFault | undefined;
  /** The router's wall clock is from then on so far off, after so many milliseconds. */
  readonly clock: { readonly by: number; readonly after: number } | undefined;
}

/** Requests with more rows go to the GPU. */
export const MAX_CPU_BATCH = 24;
/** In base64 more than Lambda takes, and no more than SageMaker does; as text more than either. */
const TOO_MUCH_FOR_LAMBDA = 5_000_000;
const TOO_MUCH_FOR_BOTH = 6_500_000;
const MINUTE = 60_000;
/** Back to the true time, too: a jump either way. */
const JUMPS = [60 * MINUTE, 0, -60 * MINUTE, 0, 20_000, -3 * MINUTE, 5_256_000 * MINUTE, 0];

const PHASES = [
  { name: 'well', requests: 300, lambda: 0.14, gpu: 0.4, process: 0.02 },
  { name: 'Lambda ill', requests: 100, lambda: 0.6, gpu: 0.3, process: 0 },
  { name: 'both ill', requests: 100, lambda: 0.5, gpu: 0.5, process: 0.02 },
  { name: 'processes die', requests: 150, lambda: 0.02, gpu: 0.1, process: 0.1 },
  { name: 'both down', requests: 50, lambda: 1, gpu: 1, process: 0 },
  { name: 'GPU ill', requests: 100, lambda: 0.1, gpu: 0.7, process: 0 },
] as const;
export type Phase = (typeof PHASES)[number]['name'];
const PERIOD = PHASES.reduce((sum, { requests }) => sum + requests, 0);
const DRAWS = 12;
const SHARE_OF_JUMPS = 0.02;
/** Callers that send what they sent a little while ago. */
const SHARE_REPEATED = 0.1;
const REPEATED_WITHIN = 30;

/** All phases, again and again; where there are few requests, shorter ones. */
export function planRequests(count: number, seed: number): readonly PlannedRequest[] {
  const pace = Math.max(1, PERIOD / count);
  const numbers = randomFloats(count * DRAWS, seed, 0, 1);
  const plan: PlannedRequest[] = [];
  for (let number = 0; number < count; number++) {
    const draws = numbers.subarray(number * DRAWS, (number + 1) * DRAWS).values();
    const draw = () => draws.next().value ?? 0;
    const pick = <T>(of: readonly T[]): T => of[Math.floor(draw() * of.length)] as T;
    const phase = phaseOf(number * pace);
    const isDown = phase.name === 'both down';
    const [toLambda, toProcess, toGpu, toClock] = [draw(), draw(), draw(), draw()];
    const lambda = pick<LambdaFault>(isDown ? DOWN.lambda : (Object.keys(LAMBDA_FAULTS) as LambdaFault[]));
    const gpu = pick<GpuFault>(isDown ? DOWN.gpu : (Object.keys(GPU_FAULTS) as GpuFault[]));
    const process = pick(PROCESS_FAULTS);
    const isProcess = toProcess < phase.process;
    const asked = askedFor(draw(), draw());
    const again = draw() < SHARE_REPEATED ? plan[number - 1 - Math.floor(draw() * REPEATED_WITHIN)] : undefined;
    plan.push({
      number,
      ...(again?.key === undefined
        ? contentOf(number, asked)
        : { content: again.content, key: again.key, asked: again.asked }),
      phase: phase.name,
      lambda: toLambda < phase.lambda && !isProcess ? lambda : undefined,
      process: isProcess ? process : undefined,
      // A GPU knows a request by its content.
      gpu: again?.key !== undefined ? again.gpu : toGpu < phase.gpu ? gpu : undefined,
      clock: toClock < SHARE_OF_JUMPS ? { by: pick(JUMPS), after: pick([0, 2]) } : undefined,
    });
  }
  return plan;
}

/** What may become a job has a key. */
function contentOf(number: number, asked: Asked): Pick<PlannedRequest, 'content' | 'key' | 'asked'> {
  const isTensors = asked.kind === 'prediction' && asked.form !== 'rows' && asked.form !== 'sound';
  return { content: number, asked, key: isTensors ? `key-${number}` : undefined };
}

function phaseOf(time: number): (typeof PHASES)[number] {
  let position = time % PERIOD;
  for (const phase of PHASES) {
    if (position < phase.requests) return phase;
    position -= phase.requests;
  }
  return PHASES[0];
}

function askedFor(kind: number, size: number): Asked {
  if (kind < 0.003) return { kind: 'prediction', form: 'binary', batch: 1, padding: TOO_MUCH_FOR_LAMBDA };
  if (kind < 0.006) return { kind: 'prediction', form: 'json', batch: 1, padding: TOO_MUCH_FOR_BOTH };
  if (kind < 0.02) return { kind: 'invalid' };
  if (kind < 0.05) return { kind: 'metadata' };
  if (kind < 0.12) return { kind: 'prediction', form: 'sound', batch: 1, padding: 0 };
  const form = kind < 0.19 ? 'rows' : kind < 0.6 ? 'json' : 'binary';
  // One in six is too large for Lambda by the policy.
  return { kind: 'prediction', form, batch: 1 + Math.floor(size * MAX_CPU_BATCH * 1.2), padding: 0 };
}
