/** GPU endpoints in stacks of their own, for assertions on templates. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll } from 'vitest';
import {
  type AsynchronousGpuEndpointProps,
  GpuEndpoint,
  Model,
  type RealTimeGpuEndpointProps,
} from '../../lib/constructs/index.js';
import { writeGpuArtifactFolder } from './gpu-artifact.js';
import { propertiesOf } from './option-combinations.js';

export const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-gpu-'));
export const outdir = join(folder, 'cdk.out');
/** Made before the first test. */
export let faces: Model;
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  faces = modelOf();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

export function modelOf(description: Parameters<typeof writeGpuArtifactFolder>[1] = {}): Model {
  return Model.fromArtifact(writeGpuArtifactFolder(folder, description));
}
export const ENV = { account: '123456789012', region: 'eu-west-1' };
export const stackOf = (env: { account?: string; region?: string } = ENV, context: Record<string, unknown> = {}) =>
  new Stack(new App({ outdir, context }), 'Vision', { env });
/** The template is made when it is asked for, once: a stack cannot change behind it. */
const synthesized = <Endpoint>(stack: Stack, endpoint: Endpoint) => {
  let made: Template | undefined;
  return {
    stack,
    endpoint,
    get template() {
      made ??= Template.fromStack(stack);
      return made;
    },
  };
};
export const realTime = (props: Partial<RealTimeGpuEndpointProps> = {}, stack = stackOf()) => {
  const endpoint = GpuEndpoint.realTime(stack, 'Gpu', { model: faces, ...props });
  return synthesized(stack, endpoint);
};
export const asynchronous = (props: Partial<AsynchronousGpuEndpointProps> = {}, stack = stackOf()) => {
  const endpoint = GpuEndpoint.asynchronous(stack, 'Gpu', { model: faces, ...props });
  return synthesized(stack, endpoint);
};
export const refusalOf = (make: () => unknown) => {
  try {
    make();
  } catch (error) {
    return error as { readonly code: string; readonly message: string };
  }
  throw new Error('it was accepted');
};
export const propertyOf = (template: Template, type: string) => propertiesOf(template, type)[0] ?? {};
export const variantsOf = (template: Template) =>
  (propertyOf(template, 'AWS::SageMaker::EndpointConfig').ProductionVariants ?? []) as Record<string, unknown>[];
