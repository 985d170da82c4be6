import type { CfnFunction } from 'aws-cdk-lib/aws-lambda';
import { Stack, Token } from 'aws-cdk-lib/core';
import { OWN_VARIABLES } from './function-variables.js';
import type { Problem } from './problems.js';

/** https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; Lambda measures the variables written as JSON. */
const MAX_BYTES = 4096;
/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
const NAME = /^[A-Za-z][A-Za-z0-9_]+$/;
/** Among others that begin alike and that users may set, such as AWS_LAMBDA_EXEC_WRAPPER. */
const RESERVED = new Set([
  'AWS_ACCESS_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_DEFAULT_REGION',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_LAMBDA_RUNTIME_API',
  'AWS_REGION',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'LAMBDA_RUNTIME_DIR',
  'LAMBDA_TASK_ROOT',
]);
/** NODE_PATH leads to the runtime layer. */
const DEPENDED_ON = new Set([...OWN_VARIABLES, 'NODE_PATH']);

type Environment = Readonly<Record<string, unknown>>;

/** What is wrong with the variables that a user gives a function. */
export function environmentProblems(environment: Environment = {}): Problem[] {
  return [...Object.keys(environment).flatMap(nameProblems), ...sizeProblems('environment', environment)];
}

/** Says at synth when all variables of a function together are too large, those that others added to it among them. */
export function checkEnvironmentAtSynth(resource: CfnFunction): void {
  resource.node.addValidation({
    validate: () => {
      const { variables = {} } = (Stack.of(resource).resolve(resource.environment) ?? {}) as {
        variables?: Environment;
      };
      return sizeProblems(`${resource.node.path}'s environment`, variables).map(
        ({ code, message, advice }) => `${code}: ${message} ${advice}`,
      );
    },
  });
}

function nameProblems(name: string): Problem[] {
  if (DEPENDED_ON.has(name)) {
    return [
      {
        code: 'ENVIRONMENT_VARIABLE_TAKEN',
        message: `environment sets ${name}, which the function itself depends on.`,
        advice: 'Leave it out.',
      },
    ];
  }
  if (NAME.test(name) && !RESERVED.has(name)) return [];
  return [
    {
      code: 'ENVIRONMENT_VARIABLE_NAME',
      message: `environment sets ${name}, which Lambda does not accept.`,
      advice:
        'Use at least two letters, digits or _, beginning with a letter, and none of the names that Lambda reserves.',
    },
  ];
}

/** A value that only the deployment knows counts as empty. */
function sizeProblems(what: string, environment: Environment): Problem[] {
  const known = Object.entries(environment).map(([name, value]) => [name, isKnown(value) ? value : '']);
  const bytes = Buffer.byteLength(JSON.stringify(Object.fromEntries(known)));
  if (bytes <= MAX_BYTES) return [];
  return [
    {
      code: 'ENVIRONMENT_TOO_LARGE',
      message: `${what} has ${bytes} bytes, written as JSON.`,
      advice: `Lambda takes ${MAX_BYTES}. Keep larger settings in a parameter or a secret, or divide the models between endpoints.`,
    },
  ];
}

function isKnown(value: unknown): boolean {
  return typeof value === 'string' && !Token.isUnresolved(value);
}
