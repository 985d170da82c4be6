/** schemathesis, unchanged: it reads /openapi.json, makes requests of it, good and bad ones, and holds the answers against it. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RouterEndpoint } from '../support/router-endpoint.js';
import { serveRouter } from '../support/router-over-http.js';
import { writeLogarithmArtifact } from '../support/served-artifact.js';
import { serveModels } from './endpoint.js';
import { clientPython, requireClient } from './python-clients.js';

/** Of its report, what is asserted here. */
interface Report {
  readonly operations: { readonly total: number; readonly tested: number; readonly errored: number };
  readonly test_cases: { readonly generated: number };
  readonly failures: readonly {
    readonly type: string;
    readonly title: string;
    readonly operations: readonly string[];
  }[];
  readonly errors: readonly unknown[];
}

/** Its checks that say something of this API, with the failures that each reports. */
const CHECKS = {
  not_a_server_error: ['ServerError'],
  status_code_conformance: ['UndefinedStatusCode'],
  content_type_conformance: ['MissingContentType', 'MalformedMediaType', 'UndefinedContentType'],
  response_schema_conformance: ['JsonSchemaError', 'MalformedJson', 'ContentDeserializationError'],
  negative_data_rejection: ['AcceptedNegativeData'],
  positive_data_acceptance: ['RejectedPositiveData'],
} as const;
/** API Gateway answers a method that no route has by 404, where this check wants 405. */
const EXCLUDED = ['unsupported_method'];
const SEED = 20;
const MAX_EXAMPLES = 10;

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-schemathesis-'));
const endpoints: Served[] = [];
afterAll(async () => {
  await Promise.all(endpoints.map((endpoint) => endpoint.close()));
  rmSync(folder, { recursive: true, force: true });
});

interface Served {
  readonly url: string;
  close(): Promise<void>;
}

/** A model behind the real router, with a GPU and a queue on loopback. */
async function serveRouted(): Promise<Served> {
  const artifact = writeLogarithmArtifact();
  const endpoint = await RouterEndpoint.start(artifact);
  const policy = { onGpuUnavailable: 'queue', maxCpuBatch: 3 };
  const { url, close } = await serveRouter(endpoint.router({ hasQueue: true, policy }));
  return {
    url,
    close: async () => {
      await close();
      await endpoint.close();
      artifact.remove();
    },
  };
}

/** The report, and all that it printed. */
async function schemathesis(
  python: string,
  url: string,
  options: readonly string[],
): Promise<{ report: Report; output: string }> {
  const file = join(mkdtempSync(join(folder, 'run-')), 'report.json');
  const output = await new Promise<string>((resolve) => {
    const fixed = ['--seed', String(SEED), '--generation-database', 'none', '--no-color', '--continue-on-failure'];
    const reported = ['--report', 'json', '--report-json-path', file];
    execFile(
      join(dirname(python), 'schemathesis'),
      ['run', `${url}/openapi.json`, '--max-examples', String(MAX_EXAMPLES), ...fixed, ...reported, ...options],
      { cwd: folder, maxBuffer: 1 << 28 },
      // Its exit code says whether anything failed, which the report says better.
      (_, stdout, stderr) => resolve(stdout + stderr),
    );
  });
  return { report: JSON.parse(readFileSync(file, 'utf8')), output };
}

interface Run {
  readonly name: string;
  readonly serve: () => Promise<Served>;
  readonly options: readonly string[];
  readonly checks: readonly (keyof typeof CHECKS)[];
  /** Fewer would mean that a filter excludes what it should not. */
  readonly operations: number;
}

const RUNS: readonly Run[] = [
  {
    name: 'every operation of two models',
    serve: () => serveModels(['datatypes', 'half_plus_two']),
    // What a schema of JSON cannot say: that elements are as many as the shape says, and what the header's length means.
    options: ['--exclude-checks', [...EXCLUDED, 'positive_data_acceptance'].join(',')],
    checks: [
      'not_a_server_error',
      'status_code_conformance',
      'content_type_conformance',
      'response_schema_conformance',
      'negative_data_rejection',
    ],
    operations: 28,
  },
  {
    name: 'all but V2 inference, whose bodies a schema does not describe whole',
    serve: () => serveModels(['half_plus_two']),
    // Bad data is in the run above.
    options: ['--exclude-checks', EXCLUDED.join(','), '--exclude-path-regex', '/infer$', '--mode', 'positive'],
    checks: ['positive_data_acceptance', 'response_schema_conformance', 'not_a_server_error'],
    operations: 14,
  },
  {
    name: 'a model behind a router, and its jobs',
    serve: serveRouted,
    // An unknown header, which nobody minds, is negative data to it where nothing else of a request is wrong.
    options: ['--exclude-checks', [...EXCLUDED, 'positive_data_acceptance', 'negative_data_rejection'].join(',')],
    checks: [
      'not_a_server_error',
      'status_code_conformance',
      'content_type_conformance',
      'response_schema_conformance',
    ],
    operations: 19,
  },
];

for (const { name, serve, options, checks, operations } of RUNS)
  describe(`schemathesis: ${name}`, () => {
    let run: Awaited<ReturnType<typeof schemathesis>> | undefined;
    beforeAll(async () => {
      const python = clientPython('schemathesis');
      if (python === undefined) return;
      const endpoint = await serve();
      endpoints.push(endpoint);
      run = await schemathesis(python, endpoint.url, options);
    }, 600_000);

    test('is tested', ({ skip }) => {
      const { report, output } = requireClient(run, skip);
      expect(report.operations, output).toMatchObject({ total: expect.any(Number), tested: operations, errored: 0 });
      expect(report.test_cases.generated).toBeGreaterThan(operations * 5);
    });

    for (const check of checks)
      test(check, ({ skip }) => {
        const { report, output } = requireClient(run, skip);
        const types: readonly string[] = CHECKS[check];
        expect(
          report.failures.filter(({ type }) => types.includes(type)),
          output,
        ).toEqual([]);
      });

    test('every other check that it has', ({ skip }) => {
      const { report, output } = requireClient(run, skip);
      expect([report.failures, report.errors], output).toEqual([[], []]);
    });
  });
