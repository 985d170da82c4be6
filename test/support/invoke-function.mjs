/** In a child process: loads a function's module as Lambda does and hands it the events that come in. */
import { pathToFileURL } from 'node:url';

const start = performance.now();
const { handler } = await import(pathToFileURL(process.argv[2]).href);
process.send({ kind: 'ready', milliseconds: performance.now() - start });
/** Functions do not travel between processes. */
function withClock({ remainingMilliseconds, ...context }) {
  if (remainingMilliseconds === undefined) return context;
  const deadline = performance.now() + remainingMilliseconds;
  return { ...context, getRemainingTimeInMillis: () => deadline - performance.now() };
}

process.on('message', async ({ id, event, context, mark }) => {
  if (mark !== undefined) {
    for (const stream of [process.stdout, process.stderr]) stream.write(`${mark}\n`);
    return;
  }
  try {
    const start = process.cpuUsage();
    const result = await handler(event, context && withClock(context));
    const { user, system } = process.cpuUsage(start);
    const usage = { cpuMilliseconds: (user + system) / 1000, peakMebibytes: process.resourceUsage().maxRSS / 1024 };
    process.send({ kind: 'answered', id, result, usage });
  } catch (error) {
    process.send({ kind: 'threw', id, message: String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
