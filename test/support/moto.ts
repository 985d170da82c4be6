/** moto from PyPI: AWS's services in a process of Python, behind boto3, which holds every call against AWS's own description of it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

export const MOTO = ['moto[sagemaker,applicationautoscaling,cloudwatch,iam]==5.2.5'];

/** A method of a client of boto3. */
export interface MotoCall {
  readonly service: 'sagemaker' | 'application-autoscaling' | 'cloudwatch' | 'iam';
  readonly method: string;
  readonly parameters: object;
}

/**
 * Makes the calls one after the other, in an account that is empty before.
 *
 * @param python an interpreter with `MOTO`
 * @throws Error with what moto or boto3 says of the first call that fails
 */
export function callMoto(python: string, calls: readonly MotoCall[]): readonly Record<string, unknown>[] {
  const child = spawnSync(python, [join(import.meta.dirname, 'moto_calls.py')], {
    input: JSON.stringify(calls),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (child.status !== 0) throw new Error(`moto ended with ${child.status ?? child.signal}: ${child.stderr}`);
  return JSON.parse(child.stdout) as Record<string, unknown>[];
}
