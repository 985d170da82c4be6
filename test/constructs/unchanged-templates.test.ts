/**
 * An endpoint without `gpu` has no router, no GPU and no further hop: its template is, resource by resource, what it was before there were
 * any. The list is test/fixtures/templates/without-gpu.txt; what changes it on purpose writes it anew with `vitest -u`.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { Tracing } from 'aws-cdk-lib/aws-lambda';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InferenceEndpoint, type InferenceEndpointProps, Model } from '../../lib/constructs/index.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';

const LIST = join(import.meta.dirname, '../fixtures/templates/without-gpu.txt');
const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-unchanged-'));
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ENDPOINTS: Readonly<Record<string, Partial<InferenceEndpointProps>>> = {
  'HTTP API': {},
  'HTTP API with options': { tracing: Tracing.ACTIVE, reservedConcurrentExecutions: 5, keepVersions: 2 },
  'REST API': { apiType: 'rest', cors: { allowOrigins: ['https://example.com'] }, requestValidation: true },
  'REST API that streams': { apiType: 'rest', streaming: true },
};

test('templates without a GPU are what they were', async () => {
  const lines = Object.entries(ENDPOINTS).flatMap(([name, props]) => [`# ${name}`, ...resourceLines(props), '']);
  expect(lines.join('\n')).not.toMatch(/Router|SageMaker/);
  await expect(lines.join('\n')).toMatchFileSnapshot(LIST);
});

/** A line for each resource: its id, its type and a digest of the rest. */
function resourceLines(props: Partial<InferenceEndpointProps>): string[] {
  const stack = new Stack(new App({ outdir: join(folder, 'cdk.out') }), 'Vision');
  const model = (name: string) =>
    Model.fromArtifact(writeArtifactFolder(folder, { name, taskType: 'object-detection' }));
  const endpoint = new InferenceEndpoint(stack, 'Vision', { models: [model('faces'), model('cats')], ...props });
  endpoint.addModel(model('dogs'), { memorySize: 512 });
  const { Resources } = Template.fromStack(stack).toJSON() as { Resources: Record<string, { Type: string }> };
  return Object.entries(Resources).map(([id, { Type, ...rest }]) => {
    const digest = createHash('sha256')
      .update(withoutContent(JSON.stringify(rest)))
      .digest('hex')
      .slice(0, 16);
    return `${withoutContent(id)} ${Type} ${digest}`;
  });
}

/** Assets have names of their content, and so have versions of functions and layers: that functions change is nothing here. */
function withoutContent(text: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{64}\b/g, '<digest>')
    .replaceAll(/(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}/g, '$1<digest>')
    .replaceAll(/(Deployment[0-9A-F]{8})[0-9a-f]{32}/g, '$1<digest>')
    .replaceAll(/digest [0-9a-f]+/g, 'digest');
}
