/** Runs a command and watches the memory of all processes that come of it. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface TreeRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From start to end of the process. */
  readonly seconds: number;
  /**
   * The most that the processes together may have held at a time: at every look, the sum of what each that is alive has ever held. Pages
   * that they share count in each, so that it errs against whoever is measured.
   */
  readonly peakBytes: number;
}

export interface TreeOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Default: does not look at memory, which takes a little time itself. */
  readonly watchMemory?: boolean;
  readonly timeout?: number;
}

const LOOK_EVERY_MS = 25;

export async function runTree(
  command: string,
  parameters: readonly string[],
  options: TreeOptions = {},
): Promise<TreeRun> {
  const start = performance.now();
  const child = spawn(command, parameters, {
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1', ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr, peakBytes] = ['', '', 0];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const look = () => {
    if (child.pid !== undefined) peakBytes = Math.max(peakBytes, treeBytes(child.pid));
  };
  const looking = options.watchMemory === true ? setInterval(look, LOOK_EVERY_MS) : undefined;
  const limit = setTimeout(() => child.kill('SIGINT'), options.timeout ?? 600_000);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    return { code, stdout, stderr, seconds: (performance.now() - start) / 1000, peakBytes };
  } finally {
    clearInterval(looking);
    clearTimeout(limit);
  }
}

function treeBytes(root: number): number {
  const children = new Map<number, number[]>();
  const peaks = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
      children.set(parent, [...(children.get(parent) ?? []), pid]);
      peaks.set(pid, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024);
    } catch {
      // It has ended since.
    }
  }
  let sum = 0;
  const open = [root];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    sum += peaks.get(pid) ?? 0;
    open.push(...(children.get(pid) ?? []));
  }
  return sum;
}
