/** In a child process: loads a function's module as Lambda does and hands it the events that come in. */
import { pathToFileURL } from 'node:url';

const start = performance.now();
const { handler } = await import(pathToFileURL(process.argv[2]).href);
process.send({ kind: 'ready', milliseconds: performance.now() - start });
process.on('message', async ({ id, event, remainingMilliseconds }) => {
  const deadline = performance.now() + remainingMilliseconds;
  const context =
    remainingMilliseconds === undefined ? undefined : { getRemainingTimeInMillis: () => deadline - performance.now() };
  try {
    process.send({ kind: 'answered', id, result: await handler(event, context) });
  } catch (error) {
    process.send({ kind: 'threw', id, message: String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
