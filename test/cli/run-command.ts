/** The command line of the sources as they are now, in a process of its own, as people run it. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

export interface CommandRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with all that stderr said so far; may send a signal. */
  readonly onStderr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
}

/** Arguments of Node.js that run `cdk-onnx` with `args`, from what test/support/compiled-commands.ts made. */
export function commandLine(args: readonly string[]): string[] {
  const main = JSON.stringify(join(process.env.CDK_ONNX_TEST_COMMANDS ?? '', 'main.js'));
  const program = `const { main } = await import(${main}); await main(process.argv.slice(1));`;
  return ['--input-type=module', '-e', program, '--', ...args];
}

export async function runCommand(args: readonly string[], options: RunOptions = {}): Promise<CommandRun> {
  const child = spawn(process.execPath, commandLine(args), {
    cwd: ROOT,
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1', ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    options.onStderr?.(stderr, (signal) => child.kill(signal));
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, stdout, stderr };
}
