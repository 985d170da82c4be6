import { defineConfig } from 'vitest/config';

process.env.ORT_DISABLE_TELEMETRY = '1';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    // The package's test is a step of its own, `npm run test:package`, since it installs from the npm registry; fixtures hold that app's test.
    exclude: ['node_modules', 'test/package', 'test/fixtures'],
    globalSetup: ['test/support/compiled-commands.ts'],
    setupFiles: ['test/random-seed.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
