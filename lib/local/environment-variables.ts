import { join } from 'node:path';
import { CAPTURE_VARIABLE } from '../artifact/capture.js';
import { MODEL_INTERFACE_VARIABLE } from '../artifact/model-interface.js';
import { LOCAL_CREDENTIALS } from './local-s3.js';
import type { LocalFunction } from './local-stack.js';

/** What a function gets of this machine's environment. AWS credentials are not among it. */
const PASSED_ON = ['PATH', 'LANG', 'TZ', 'SystemRoot'];
/** Variables of ours and of Node.js that name files of layers. /opt itself cannot be mounted without privileges. */
const PATHS_INTO_OPT = ['CDK_ONNX_ARTIFACT', 'CDK_ONNX_RECORDINGS', MODEL_INTERFACE_VARIABLE, 'NODE_PATH'];

export interface EnvironmentVariablesOptions {
  readonly function: LocalFunction;
  /** The folder that stands in for /opt. */
  readonly optFolder: string;
  /** The folder that stands in for /tmp. */
  readonly temporaryFolder: string;
  /** `host:port` of the Runtime API. */
  readonly runtimeApi: string;
  readonly region: string;
  readonly logStream: string;
  readonly host: NodeJS.ProcessEnv;
  /** Where S3 is, for a function that may read from it. Default: nowhere, and no credentials. */
  readonly s3Url?: string | undefined;
  /** Where every other service is, for a function that invokes others. Default: nowhere, and no credentials. */
  readonly awsUrl?: (() => string) | undefined;
}

/** The variables of an execution environment, as on Lambda. https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
export function environmentVariables(options: EnvironmentVariablesOptions): Record<string, string> {
  const { function: localFunction, optFolder, temporaryFolder, region } = options;
  const name = localFunction.arn.split(':').at(-1) ?? localFunction.id;
  const [, nodeMajor] = /^nodejs(\d+)/.exec(localFunction.runtime) ?? [];
  const variables: Record<string, string> = {
    ...Object.fromEntries(
      PASSED_ON.flatMap((variable) => {
        const value = options.host[variable];
        return value === undefined ? [] : [[variable, value]];
      }),
    ),
    HOME: temporaryFolder,
    TMPDIR: temporaryFolder,
    NODE_PATH: [
      `/opt/nodejs/node${nodeMajor}/node_modules`,
      '/opt/nodejs/node_modules',
      '/var/runtime/node_modules',
      localFunction.codeFolder,
    ].join(':'),
    ...localFunction.environment,
    ...(options.awsUrl === undefined ? {} : { ...LOCAL_CREDENTIALS, AWS_ENDPOINT_URL: options.awsUrl() }),
    ...(options.s3Url === undefined ? {} : { ...LOCAL_CREDENTIALS, AWS_ENDPOINT_URL_S3: options.s3Url }),
    _HANDLER: localFunction.handler,
    AWS_DEFAULT_REGION: region,
    AWS_EXECUTION_ENV: `AWS_Lambda_${localFunction.runtime}`,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(localFunction.memoryMiB),
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: options.logStream,
    AWS_LAMBDA_RUNTIME_API: options.runtimeApi,
    AWS_REGION: region,
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    LAMBDA_TASK_ROOT: localFunction.codeFolder,
  };
  // Requests of this machine are not kept in S3.
  delete variables[CAPTURE_VARIABLE];
  for (const variable of PATHS_INTO_OPT) {
    const value = variables[variable];
    if (value !== undefined) variables[variable] = redirectOpt(value, optFolder);
  }
  return variables;
}

/** A list of paths separated by colons, with those in /opt moved to the folder that stands in for it. */
function redirectOpt(value: string, optFolder: string): string {
  const separator = process.platform === 'win32' ? ';' : ':';
  return value
    .split(':')
    .map((path) => (path === '/opt' || path.startsWith('/opt/') ? join(optFolder, path.slice('/opt'.length)) : path))
    .join(separator);
}
