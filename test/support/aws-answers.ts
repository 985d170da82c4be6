/** What services of AWS answer in place of what was asked of them. */
import type { ServiceFault } from './faulty-service.js';

export function awsError(status: number, type: string, headers: Readonly<Record<string, string>> = {}): ServiceFault {
  return { kind: 'answer', status, headers: { 'x-amzn-errortype': type, ...headers }, body: '{}' };
}

/** As Lambda's Invoke API tells of a function that ended without a result. */
export function functionError(errorType: string, errorMessage: string): ServiceFault {
  return {
    kind: 'answer',
    status: 200,
    headers: { 'x-amz-function-error': 'Unhandled' },
    body: JSON.stringify({ errorType, errorMessage }),
  };
}
