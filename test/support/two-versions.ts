/** Two versions of a function, the real bundle each, behind Lambda's API on loopback; CodeDeploy beside it; and the hook's own bundle. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecordedInference, ReplaySettings } from '../../lib/artifact/replay.js';
import { answerInvoke } from '../../lib/local/invoke-api.js';
import { type FaultyService, type FaultyServiceOptions, startFaultyService } from './faulty-service.js';
import { LOOPBACK_CREDENTIALS, LOOPBACK_REGION, LoopbackFunction } from './loopback-lambda.js';
import type { PreparedFunction } from './predict-function.js';
import type { ServedArtifact } from './served-artifact.js';

const FUNCTION_ARN = `arn:aws:lambda:${LOOPBACK_REGION}:000000000000:function:faces`;
/** What CodeDeploy sends. */
const LIFECYCLE_EVENT = { DeploymentId: 'd-ABCDEF123', LifecycleEventHookExecutionId: 'eyJlbmNyeXB0ZWQi' };

export interface ReportedStatus {
  readonly deploymentId: string;
  readonly lifecycleEventHookExecutionId: string;
  readonly status: string;
}

export interface Deployment {
  /** Version 1, which `live` points to. */
  readonly live: ServedArtifact;
  /** Version 2; undefined: there is only version 1, which is new. */
  readonly next?: ServedArtifact;
  readonly settings?: Partial<ReplaySettings>;
  /** Files by name. */
  readonly recordings?: Readonly<Record<string, readonly RecordedInference[]>>;
  readonly fault?: FaultyServiceOptions['fault'];
  /** Of CodeDeploy. */
  readonly reportFault?: FaultyServiceOptions['fault'];
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutSeconds?: number;
}

export interface HookRun {
  readonly reported: readonly ReportedStatus[];
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  /** Of the hook, unparsed. */
  readonly output: string;
  readonly error: unknown;
}

/** Invokes the hook as CodeDeploy does. */
export async function runHook(prepared: PreparedFunction, deployment: Deployment): Promise<HookRun> {
  const { live, next, settings = {}, recordings, environment = {}, timeoutSeconds = 120 } = deployment;
  const versions = [
    {
      function: predictFunction(prepared, live),
      names: new Map([
        ['live', '1'],
        ['1', '1'],
      ]),
    },
    ...(next === undefined ? [] : [{ function: predictFunction(prepared, next), names: new Map([['2', '2']]) }]),
  ];
  const lambda = await startLambda(versions, deployment.fault);
  const codeDeploy = await startCodeDeploy(deployment.reportFault);
  const opt = optFolder(recordings);
  const hook = new LoopbackFunction({
    name: 'hook',
    codeFolder: join(prepared.folder, 'task/pre-traffic'),
    optFolder: opt,
    maxConcurrency: 1,
    timeoutSeconds,
    environment: {
      ...LOOPBACK_CREDENTIALS,
      AWS_ENDPOINT_URL_LAMBDA: lambda.url,
      AWS_ENDPOINT_URL_CODEDEPLOY: codeDeploy.service.url,
      CDK_ONNX_NEW_VERSION: `${FUNCTION_ARN}:${next === undefined ? 1 : 2}`,
      CDK_ONNX_LIVE_ALIAS: `${FUNCTION_ARN}:live`,
      CDK_ONNX_RECORDINGS: '/opt/cdk-onnx-requests',
      CDK_ONNX_REPLAY: JSON.stringify({
        model: live.manifest.name,
        source: { kind: recordings === undefined ? 'generated' : 'layer' },
        compare: 'values',
        tolerance: { absolute: 1e-3, relative: 1e-2 },
        maxRequests: 100,
        maxDifferentShare: 0,
        invocationTimeout: 60_000,
        ...settings,
      } satisfies ReplaySettings),
      ...environment,
    },
  });
  let error: unknown;
  try {
    await hook.invoke(LIFECYCLE_EVENT).catch((thrown: unknown) => {
      error = thrown;
    });
  } finally {
    await Promise.all([hook, ...versions.map((version) => version.function)].map((each) => each.close()));
    await Promise.all([lambda.close(), codeDeploy.service.close()]);
    rmSync(opt, { recursive: true, force: true });
  }
  return {
    reported: codeDeploy.reported,
    lines: hook.lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line)),
    output: hook.lines.join('\n'),
    error,
  };
}

function predictFunction(prepared: PreparedFunction, artifact: ServedArtifact): LoopbackFunction {
  return new LoopbackFunction({
    name: 'faces',
    codeFolder: join(prepared.folder, 'task/predict'),
    optFolder: join(prepared.folder, 'opt'),
    maxConcurrency: 1,
    environment: { CDK_ONNX_ARTIFACT: artifact.folder },
  });
}

interface LoopbackVersion {
  readonly function: LoopbackFunction;
  /** Version by qualifier. */
  readonly names: ReadonlyMap<string, string>;
}

function startLambda(
  versions: readonly LoopbackVersion[],
  fault: FaultyServiceOptions['fault'],
): Promise<FaultyService> {
  return startFaultyService({
    fault,
    answer: async (request) => {
      const [, name = ''] = /\/functions\/([^/]+)\//.exec(request.url ?? '') ?? [];
      const qualifier = decodeURIComponent(name).split(':').at(-1) ?? '';
      const asked = versions.find(({ names }) => names.has(qualifier)) ?? versions[0];
      if (asked === undefined) throw new Error('there is no version');
      const answer = await answerInvoke(request, {
        functions: [{ ...asked.function.localFunction, versions: asked.names }],
        region: LOOPBACK_REGION,
        invoke: (_, requestId, payload) => asked.function.invokeRaw(requestId, payload),
        onInvoked: () => undefined,
      });
      return answer ?? { status: 404, headers: {}, body: Buffer.alloc(0) };
    },
  });
}

/** Takes note of what it is told. */
async function startCodeDeploy(fault: FaultyServiceOptions['fault']) {
  const reported: ReportedStatus[] = [];
  const service = await startFaultyService({
    fault,
    answer: async (request) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const target = request.headers['x-amz-target'];
      if (target !== 'CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus') {
        return { status: 400, headers: {}, body: Buffer.from('{}') };
      }
      const status: ReportedStatus = JSON.parse(Buffer.concat(chunks).toString());
      reported.push(status);
      const { lifecycleEventHookExecutionId } = status;
      return {
        status: 200,
        headers: { 'content-type': 'application/x-amz-json-1.1' },
        body: Buffer.from(JSON.stringify({ lifecycleEventHookExecutionId })),
      };
    },
  });
  return { service, reported };
}

/** Stands in for /opt: the SDK, which Lambda's runtime brings, and recordings. */
function optFolder(recordings: Deployment['recordings']): string {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-hook-'));
  mkdirSync(join(folder, 'nodejs'));
  symlinkSync(join(import.meta.dirname, '../../node_modules'), join(folder, 'nodejs/node_modules'));
  mkdirSync(join(folder, 'cdk-onnx-requests'));
  for (const [name, records] of Object.entries(recordings ?? {})) {
    const lines = records.map((record) => `${JSON.stringify(record)}\n`);
    writeFileSync(join(folder, 'cdk-onnx-requests', name), lines.join(''));
  }
  return folder;
}
