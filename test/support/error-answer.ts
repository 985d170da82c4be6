import { expect } from 'vitest';
import type { FunctionResult } from './predict-function.js';

/** The error of an answer, after a look at its form: three texts, and nothing of a stack. */
export function errorOf(result: FunctionResult): { status: number; code: string; error: string; advice: string } {
  const document = JSON.parse(result.body);
  expect(Object.keys(document).sort()).toEqual(['advice', 'code', 'error']);
  expect(result.headers['content-type']).toBe('application/json');
  expect(document.code).toMatch(/^[A-Z][A-Z0-9_]+$/);
  expect(document.advice).not.toBe('');
  expect(result.body).not.toMatch(/\bat .*:\d+:\d+|node:internal|node_modules/);
  return { status: result.statusCode, ...document };
}
