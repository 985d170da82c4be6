/**
 * The child process that holds one onnxruntime session: a crash in native code ends it and nothing else.
 * It is the only module of the compiler that loads onnxruntime, from the folder that its first argument names.
 */
import { createRequire } from 'node:module';
import type * as OnnxRuntime from 'onnxruntime-node';
import type { DataType } from '../../artifact/manifest.js';
import type { RuntimeTensor, SessionReply, SessionRequest, SessionValue } from './session-protocol.js';
import { ValueObserver } from './value-statistics.js';

process.env.ORT_DISABLE_TELEMETRY = '1';
const { InferenceSession, Tensor } = createRequire(import.meta.filename)(process.argv[2] ?? '') as typeof OnnxRuntime;

let session: Awaited<ReturnType<typeof InferenceSession.create>> | undefined;

function toOrt({ dataType, dims, data }: RuntimeTensor): InstanceType<typeof Tensor> {
  // The constructor's overloads cannot be matched by a union of element types.
  return new Tensor(dataType as 'float32', data as Float32Array, dims);
}

function fromOrt(tensor: InstanceType<typeof Tensor>): RuntimeTensor {
  return { dataType: tensor.type as DataType, dims: tensor.dims, data: tensor.data as RuntimeTensor['data'] };
}

function describe(metadata: readonly { readonly name: string; readonly isTensor: boolean }[]): SessionValue[] {
  return metadata.map((value) => {
    if (!value.isTensor) return { name: value.name, dataType: null, shape: null };
    const { type, shape } = value as unknown as { type: DataType; shape: readonly (number | string)[] };
    return { name: value.name, dataType: type, shape: shape.map((dim) => (dim === '' ? null : dim)) };
  });
}

async function answer(request: SessionRequest): Promise<SessionReply> {
  const start = performance.now();
  if (request.kind === 'open') {
    const { graphOptimizationLevel, enableCpuMemArena, enableMemPattern, configEntries } = request.settings;
    const options: InstanceType<typeof Object> & Parameters<typeof InferenceSession.create>[1] = {
      graphOptimizationLevel: graphOptimizationLevel ?? 'all',
      intraOpNumThreads: request.threads,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
      ...(enableCpuMemArena === undefined ? {} : { enableCpuMemArena }),
      ...(enableMemPattern === undefined ? {} : { enableMemPattern }),
      ...(configEntries === undefined ? {} : { extra: nested(configEntries) }),
      ...(request.profileFilePrefix === undefined
        ? {}
        : { enableProfiling: true, profileFilePrefix: request.profileFilePrefix }),
    };
    session = await (typeof request.model === 'string'
      ? InferenceSession.create(request.model, options)
      : InferenceSession.create(request.model, options));
    return {
      kind: 'opened',
      milliseconds: performance.now() - start,
      inputs: describe(session.inputMetadata),
      outputs: describe(session.outputMetadata),
    };
  }
  if (request.kind === 'statistics') {
    return {
      kind: 'statistics',
      values: Object.fromEntries([...observers].map(([name, observer]) => [name, observer.statistics()])),
      peakBytes: process.resourceUsage().maxRSS * 1024,
    };
  }
  if (session === undefined) throw new Error('no session is open');
  if (request.kind === 'end-profile') {
    session.endProfiling();
    return { kind: 'profiled' };
  }
  if (request.kind === 'observe') {
    await observe(session.run.bind(session), request);
    return { kind: 'observed', milliseconds: performance.now() - start };
  }
  const feeds = Object.fromEntries(Object.entries(request.feeds).map(([name, tensor]) => [name, toOrt(tensor)]));
  const startRun = performance.now();
  const results = await (request.outputs === undefined ? session.run(feeds) : session.run(feeds, request.outputs));
  const milliseconds = performance.now() - startRun;
  const outputs = Object.fromEntries(
    Object.entries(results).map(([name, value]) => [name, fromOrt(value as InstanceType<typeof Tensor>)]),
  );
  return { kind: 'ran', milliseconds, outputs };
}

/** Tensors lie outside of the heap by which Node.js decides when to look for garbage. */
const GARBAGE_BYTES = 8 * 2 ** 20;
let garbage = 0;

function collectGarbage(bytes: number): void {
  garbage += bytes;
  if (garbage < GARBAGE_BYTES) return;
  garbage = 0;
  globalThis.gc?.({ type: 'minor' });
}

const observers = new Map<string, ValueObserver>();
/** Outputs of the last observed step that the next one may take. */
let state: Record<string, InstanceType<typeof Tensor>> = {};

async function observe(
  run: NonNullable<typeof session>['run'],
  { steps, carried, continues, observed }: Extract<SessionRequest, { kind: 'observe' }>,
): Promise<void> {
  if (!continues) state = {};
  const outputs = [...observed, ...new Set(Object.values(carried))];
  for (const step of steps) {
    const feeds = Object.fromEntries(Object.entries(step).map(([name, tensor]) => [name, toOrt(tensor)]));
    let bytes = 0;
    // Once as it was sent, once as it was received.
    for (const { data } of Object.values(step)) bytes += 'byteLength' in data ? data.byteLength * 2 : 0;
    const results = (await run({ ...feeds, ...state }, outputs)) as Record<string, InstanceType<typeof Tensor>>;
    for (const name of observed) {
      const data = results[name]?.data as Float32Array;
      const observer = observers.get(name) ?? new ValueObserver();
      observers.set(name, observer);
      // An empty tensor's are the wrong way round, and extend nothing.
      observer.extend(data[0] as number, data[1] as number);
      observer.add(data.subarray(2));
      bytes += data.byteLength;
    }
    collectGarbage(bytes);
    state = Object.fromEntries(
      Object.entries(carried).flatMap(([input, output]) => {
        const tensor = results[output];
        return tensor === undefined ? [] : [[input, tensor]];
      }),
    );
  }
}

/** Session config entries as onnxruntime-node's `extra` wants them: nested objects in place of dots. */
function nested(entries: Readonly<Record<string, string>>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(entries)) {
    const path = key.split('.');
    const leaf = path.pop() ?? key;
    let at = root;
    for (const part of path) {
      at[part] ??= {};
      at = at[part] as Record<string, unknown>;
    }
    at[leaf] = value;
  }
  return root;
}

process.on('disconnect', () => process.exit(0));
process.on('message', (request: SessionRequest) => {
  answer(request)
    .catch(
      (error: unknown): SessionReply => ({
        kind: 'failed',
        message: error instanceof Error ? error.message : String(error),
      }),
    )
    .then((reply) => process.send?.(reply));
});
