/**
 * Loaded in front of the router: events can move its wall clock, and now and then it says what memory it holds.
 *
 * The header x-fault-clock of an event, `<milliseconds>;<after so many>`, says how far the clock is from now on off the true one.
 */
const { runInNewContext } = require('node:vm');
const { setFlagsFromString } = require('node:v8');

const SAMPLE_EVERY = 100;
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const TrueDate = Date;
let offset = 0;
globalThis.Date = class Date extends TrueDate {
  constructor(...given) {
    if (given.length === 0) super(TrueDate.now() + offset);
    else super(...given);
  }
  static now() {
    return TrueDate.now() + offset;
  }
};

let events = 0;
const parse = JSON.parse;
JSON.parse = (...given) => {
  const value = parse(...given);
  // Of API Gateway: other documents have no such member.
  if (value?.requestContext !== undefined) onEvent(value.headers ?? {});
  return value;
};

function onEvent(headers) {
  const jump = headers['x-fault-clock'];
  if (jump !== undefined) {
    const [by, after] = jump.split(';').map(Number);
    if (after === 0) offset = by;
    else setTimeout(() => (offset = by), after);
  }
  if (events++ % SAMPLE_EVERY !== 0) return;
  collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  process.stdout.write(`${JSON.stringify({ message: 'memory', pid: process.pid, events, heapUsed, rss })}\n`);
}
