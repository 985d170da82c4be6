import { defineConfig } from 'vitest/config';

process.env.ORT_DISABLE_TELEMETRY = '1';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    // A step of its own, `npm run test:package`: it installs from the npm registry.
    exclude: ['node_modules', 'test/package'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
