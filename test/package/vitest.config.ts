import { defineConfig } from 'vitest/config';

process.env.ORT_DISABLE_TELEMETRY = '1';

/** Apart from the other tests: it installs an app from the npm registry. */
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/package/**/*.test.ts'],
    testTimeout: 180_000,
    hookTimeout: 600_000,
    pool: 'forks',
  },
});
