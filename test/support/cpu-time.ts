/** Processor time of this process while `work` runs, in ms: other programs on the machine do not add to it, as they do to the clock's. */
export async function cpuMilliseconds(work: () => unknown): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}
