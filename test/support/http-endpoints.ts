/** Endpoints with the options that a test gives, in stacks of a folder of the test file's own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll } from 'vitest';
import { InferenceEndpoint, type InferenceEndpointProps, Model } from '../../lib/constructs/index.js';
import { writeArtifactFolder } from './artifact-folder.js';

/** For the top of a test file: the folder goes when its tests are done. */
export function httpEndpoints() {
  // One assembly for all: what is staged once need not be staged again.
  const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-constructs-'));
  const outdir = join(folder, 'cdk.out');
  beforeAll(() => {
    process.env.CDK_VALIDATION = 'false';
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const faces = () => Model.fromArtifact(writeArtifactFolder(folder, { taskType: 'object-detection' }));
  const vision = (props: Partial<InferenceEndpointProps> = {}, context: Record<string, unknown> = {}) => {
    const stack = new Stack(new App({ context, outdir }), 'Vision');
    const endpoint = new InferenceEndpoint(stack, 'Vision', { models: [faces()], ...props });
    return { stack, endpoint };
  };
  const templateOf = (props: Partial<InferenceEndpointProps> = {}, context: Record<string, unknown> = {}) =>
    Template.fromStack(vision(props, context).stack);
  return { folder, outdir, faces, vision, templateOf };
}
