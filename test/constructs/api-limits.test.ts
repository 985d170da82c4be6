import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InferenceEndpoint, Model } from '../../lib/constructs/index.js';
import { writeGpuArtifactFolder } from '../support/gpu-artifact.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-api-limits-'));
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('what AWS takes of one API and one stack', () => {
  const synthesized = (apiType: 'http' | 'rest', models: number, limit?: number, options: object = {}) => {
    const context = limit === undefined ? {} : { '@aws-cdk/core:stackResourceLimit': limit };
    const app = new App({ outdir: mkdtempSync(join(folder, 'limits-')), context });
    const stack = new Stack(app, 'Vision');
    const artifact = (index: number) =>
      Model.fromArtifact(writeGpuArtifactFolder(folder, { name: `m${index}`, taskType: 'object-detection' }));
    const [first = artifact(0), ...others] = Array.from({ length: models }, (_, index) => artifact(index));
    const endpoint = new InferenceEndpoint(stack, 'Vision', { apiType, models: [first], ...options });
    for (const model of others) endpoint.addModel(model);
    app.synth();
    return Object.keys(Template.fromStack(stack).toJSON().Resources as object).length;
  };

  test('README says how many resources a model takes', () => {
    const fitting = (apiType: 'http' | 'rest', options: object = {}) => {
      const [two, three] = [2, 3].map((models) => synthesized(apiType, models, 0, options));
      const perModel = Number(three) - Number(two);
      return { perModel, models: Math.floor((500 - (Number(two) - 2 * perModel)) / perModel) };
    };
    expect(fitting('http')).toEqual({ perModel: 33, models: 14 });
    expect(fitting('rest')).toEqual({ perModel: 34, models: 14 });
    expect(fitting('rest', { cors: { allowOrigins: ['*'] } })).toEqual({ perModel: 46, models: 10 });
    expect(fitting('http', { gpu: {} })).toEqual({ perModel: 46, models: 10 });
    expect(fitting('http', { gpu: { queue: true } })).toEqual({ perModel: 63, models: 7 });
  });

  test('500 resources in a stack, with advice; or as many as the CDK is told', () => {
    expect(() => synthesized('rest', 3, 100)).toThrow(
      /STACK_RESOURCES: the stack has \d+ resources, and CloudFormation takes 100; \d+ of them belong to this endpoint of 3 models, some \d+ for each\. Put some of the models into an endpoint in another stack/,
    );
    expect(synthesized('rest', 3, 0)).toBeGreaterThan(100);
    expect(synthesized('rest', 3)).toBeGreaterThan(100);
  });

  test('300 routes of an HTTP API and 300 resources of a REST API', () => {
    expect(() => synthesized('http', 23, 0)).toThrow(
      /HTTP_API_ROUTES: 23 models take 304 routes, and an HTTP API has 300/,
    );
    expect(() => synthesized('rest', 21, 0)).toThrow(/REST_API_RESOURCES: 21 models take 303 resources/);
  });
});
