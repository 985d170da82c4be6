import { defineConfig } from 'vitest/config';

process.env.ORT_DISABLE_TELEMETRY = '1';
// Linting templates takes seconds: tests that look for its findings ask for it.
process.env.CDK_VALIDATION = 'false';

/**
 * Folders whose tests change nothing that lasts but variables of the environment, which are restored: no global, no module's state. Their
 * files share two processes, which import the compiler once; the others get a process each.
 */
const SHARED = ['artifact', 'bench', 'compiler', 'cost', 'protocol', 'tasks'].map(
  (name) => `test/${name}/**/*.test.ts`,
);
// The package's test is a step of its own, `npm run test:package`, since it installs from the npm registry; fixtures hold that app's test.
const EXCLUDED = ['node_modules', 'test/package', 'test/fixtures'];

const common = {
  setupFiles: ['test/random-seed.ts', 'test/restored-environment.ts'],
  testTimeout: 60_000,
  hookTimeout: 120_000,
  pool: 'forks' as const,
};

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    globalSetup: ['test/support/compiled-commands.ts'],
    maxWorkers: 2,
    projects: [
      // In the order of their names: what takes minutes in one file comes first.
      { test: { ...common, name: 'isolated', include: ['test/**/*.test.ts'], exclude: [...EXCLUDED, ...SHARED] } },
      { test: { ...common, name: 'shared', include: SHARED, exclude: EXCLUDED, isolate: false } },
    ],
  },
});
