/** Loaded in front of the function that predicts: an event's header x-fault-process says how the process is to end, while it has the event. */
const ENDS = {
  kill: () => process.kill(process.pid, 'SIGKILL'),
  /** It hangs until Lambda's timeout. */
  stop: () => process.kill(process.pid, 'SIGSTOP'),
  exit: () => process.exit(1),
  /** More than the heap may have. */
  'out-of-memory': () => {
    const held = [];
    for (;;) held.push(new Array(1 << 22));
  },
};

const parse = JSON.parse;
JSON.parse = (...given) => {
  const value = parse(...given);
  if (value?.requestContext !== undefined) ENDS[value.headers?.['x-fault-process']]?.();
  return value;
};
