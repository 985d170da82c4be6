/** SageMaker's asynchronous endpoint and its bucket on loopback, which fail as the ids of jobs have it: a job's key decides, not the moment. */
import type { ServerResponse } from 'node:http';
import { keyedJobId } from '../../../functions/router/jobs/job-id.js';
import { awsError } from '../aws-answers.js';
import type { SeenCall, ServiceFault } from '../faulty-service.js';
import { LoopbackS3 } from '../loopback-s3.js';
import { LoopbackQueue } from '../sagemaker-queue.js';
import { type BuiltModel, DENSE_NAME } from './dense-model.js';
import type { NamedFault } from './faulty-endpoint.js';

const BUCKET = 'gpu-queue-bucket';
const ENDPOINT = 'gpu-queue';

/** `isLost`: the router cannot know whether the job was taken. */
interface QueueFault extends NamedFault {
  readonly isLost: boolean;
}

const SUBMISSION_FAULTS: readonly QueueFault[] = [
  lost('lost acknowledgement', { kind: 'reset', when: 'before-answer' }),
  lost('half-written body', { kind: 'reset', when: 'within-answer' }),
  lost('connection reset', { kind: 'reset', when: 'before-work' }),
  lost('internal failure', awsError(500, 'InternalFailure')),
  { name: 'throttled', fault: awsError(429, 'ThrottlingException'), isLost: false },
  { name: 'service unavailable', fault: awsError(503, 'ServiceUnavailable'), isLost: false },
];
const STORAGE_FAULTS: readonly NamedFault[] = [
  { name: 'lost acknowledgement', fault: { kind: 'reset', when: 'before-answer' } },
  { name: 'connection reset', fault: { kind: 'reset', when: 'before-work' } },
  { name: 'slow down', fault: { kind: 'answer', status: 503 } },
  { name: 'silence', fault: { kind: 'stall', when: 'before-work' } },
];
const SHARE_OF_FAULTS = 0.4;
/** A job is put, recorded, submitted and recorded again: any of its first calls may fail. */
const FIRST_CALLS = 4;
const SECRET = 'arn:aws:cloudformation:eu-west-1:000000000000:stack/loopback/0';
const JOB_ID = /\/(?<id>[0-9a-f]{40})/;

function lost(name: string, fault: ServiceFault): QueueFault {
  return { name, fault, isLost: true };
}

export class FaultyQueue {
  /** Nothing fails any more. */
  isCalm = false;
  /** Jobs of which the router could not know whether they were taken. */
  readonly lost = new Set<string>();
  private readonly submissions = new Map<string, number>();
  private readonly calls = new Map<string, number>();
  private started: { readonly s3: LoopbackS3; readonly queue: LoopbackQueue } | undefined;

  private constructor(private readonly count: (what: string) => void) {}

  /** @param count told of each fault that happens */
  static async start(model: BuiltModel, count: (what: string) => void): Promise<FaultyQueue> {
    const faulty = new FaultyQueue(count);
    const s3 = await LoopbackS3.start({
      bucket: BUCKET,
      allows: { put: ['requests/', 'jobs/'], get: ['requests/', 'jobs/', 'results/', 'failures/'] },
      fault: (call) => faulty.storageFault(call)?.fault,
    });
    const { model: path, manifest } = model;
    const served = { model: path, signature: manifest.signature, bucket: BUCKET, s3, endpointName: ENDPOINT };
    faulty.started = { s3, queue: await LoopbackQueue.open({ ...served, isWorking: true }) };
    return faulty;
  }

  get s3(): LoopbackS3 {
    return this.parts.s3;
  }

  get queue(): LoopbackQueue {
    return this.parts.queue;
  }

  /** Of the router. */
  get environment(): Readonly<Record<string, string>> {
    return {
      AWS_ENDPOINT_URL_S3: this.s3.service.url,
      CDK_ONNX_GPU_QUEUE_ENDPOINT: ENDPOINT,
      CDK_ONNX_GPU_QUEUE_BUCKET: BUCKET,
      CDK_ONNX_JOB_SECRET: SECRET,
    };
  }

  /** Of a call of InvokeEndpointAsync. */
  submissionFault({ request, response }: SeenCall): NamedFault | undefined {
    const id = String(request.headers['x-amzn-sagemaker-inference-id']);
    this.watch(id, response);
    const fault = next(this.submissions, id) === 0 ? chosen(SUBMISSION_FAULTS, id, 0) : undefined;
    if (fault === undefined || this.isCalm) return undefined;
    if (fault.isLost) this.lost.add(id);
    this.count(`queue: ${fault.name}`);
    return fault;
  }

  /** A request with this key took all of its time: what SageMaker said may not have got as far as the job's record. */
  ranOutOfTime(key: string): void {
    this.lost.add(keyedJobId(SECRET, DENSE_NAME, key));
  }

  async close(): Promise<void> {
    await this.s3.service.close();
    await this.queue.close();
  }

  /** A router that has no time left hangs up, and is not heard of again either. */
  private watch(id: string, response: ServerResponse): void {
    response.once('close', () => {
      if (!response.writableFinished) this.lost.add(id);
    });
  }

  private storageFault({ request, response }: SeenCall): NamedFault | undefined {
    const id = JOB_ID.exec(request.url ?? '')?.groups?.id;
    if (id === undefined) return undefined;
    this.watch(id, response);
    if (this.isCalm) return undefined;
    const isTurn = next(this.calls, id) === Math.floor(FIRST_CALLS * draw(id, 3));
    const fault = isTurn ? chosen(STORAGE_FAULTS, id, 2) : undefined;
    if (fault === undefined) return undefined;
    this.lost.add(id);
    this.count(`S3: ${fault.name}`);
    return fault;
  }

  private get parts() {
    if (this.started === undefined) throw new Error('the queue has not started');
    return this.started;
  }
}

/** How often it was there before. */
function next(counts: Map<string, number>, id: string): number {
  const before = counts.get(id) ?? 0;
  counts.set(id, before + 1);
  return before;
}

/** From 0 inclusive to 1 exclusive, by so many digits of a hash. */
function draw(id: string, index: number): number {
  return Number.parseInt(id.slice(8 * index, 8 * index + 8), 16) / 2 ** 32;
}

function chosen<Fault>(faults: readonly Fault[], id: string, index: number): Fault | undefined {
  const share = draw(id, index) / SHARE_OF_FAULTS;
  return share < 1 ? faults[Math.floor(share * faults.length)] : undefined;
}
