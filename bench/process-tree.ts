/** Runs a command and watches the memory of all processes that come of it. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface TreeRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From start to end of the process. */
  readonly seconds: number;
  /** The most that the processes together held at a time: what is each one's own, and the most that one of them shares with others. */
  readonly peakBytes: number;
  /** The most that the process itself held. */
  readonly ownPeakBytes: number;
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
  let [stdout, stderr, peakBytes, ownPeakBytes] = ['', '', 0, 0];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const look = () => {
    if (child.pid === undefined) return;
    const { tree, root } = bytesOf(child.pid);
    peakBytes = Math.max(peakBytes, tree);
    ownPeakBytes = Math.max(ownPeakBytes, root);
  };
  const looking = options.watchMemory === true ? setInterval(look, LOOK_EVERY_MS) : undefined;
  const limit = setTimeout(() => child.kill('SIGINT'), options.timeout ?? 600_000);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    return { code, stdout, stderr, seconds: (performance.now() - start) / 1000, peakBytes, ownPeakBytes };
  } finally {
    clearInterval(looking);
    clearTimeout(limit);
  }
}

function bytesOf(root: number): { readonly tree: number; readonly root: number } {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = Number(/^PPid:\s+(\d+)/m.exec(readIfAlive(`/proc/${name}/status`))?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  let [own, shared, first] = [0, 0, 0];
  const open = [root];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    const rollup = readIfAlive(`/proc/${pid}/smaps_rollup`);
    const kilobytes = (kind: string) => Number(new RegExp(`^${kind}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? 0);
    if (pid === root) first = kilobytes('Rss');
    own += kilobytes('Private_Clean') + kilobytes('Private_Dirty');
    shared = Math.max(shared, kilobytes('Shared_Clean') + kilobytes('Shared_Dirty'));
    open.push(...(children.get(pid) ?? []));
  }
  return { tree: (own + shared) * 1024, root: first * 1024 };
}

/** Empty for a process that has ended since. */
function readIfAlive(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
