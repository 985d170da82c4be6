/** The router: one answer for each request whatever fails, what it costs beside a floor and the SDK, hedging, the circuit breaker. */
import { execFileSync } from 'node:child_process';
import { node24 } from './node24.js';
import { breaker } from './router/breaker.js';
import { faults } from './router/faults.js';
import { hedging } from './router/hedging.js';
import { importTime } from './router/import-time.js';
import { openLambdaRuntime } from './router/lambda-runtime.js';
import { overhead } from './router/overhead.js';
import { sdkVersions } from './router/sdk-peer.js';
import type { Suite } from './suite.js';

export const router: Suite = {
  name: 'router',
  versions: async () => ({
    "Lambda's Node": execFileSync(node24(), ['--version'], { encoding: 'utf8' }).trim(),
    ...sdkVersions(),
  }),
  async run(context) {
    using runtime = openLambdaRuntime();
    if (context.wants('overhead')) await overhead(context, runtime);
    if (context.wants('import')) await importTime(context, runtime);
    if (context.wants('hedging')) await hedging(context, runtime);
    if (context.wants('breaker')) await breaker(context, runtime);
    if (context.wants('faults')) await faults(context, runtime);
  },
};
