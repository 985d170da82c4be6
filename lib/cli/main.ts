/** The command line: finds the command, runs it, and says in a person's words what went wrong. */

import { toolVersion } from '../artifact/package-root.js';
import { printable } from '../compiler/ir/print.js';
import { CdkOnnxError } from '../errors.js';
import { type Command, helpText, parseCommandLine } from './command.js';

/** Loaded one at a time: `cdk-onnx build` must not wait for what `dev` imports. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  inspect: async () => (await import('./inspect.js')).inspectCommand,
  convert: async () => (await import('./convert.js')).convertCommand,
  build: async () => (await import('./build.js')).buildCommand,
  optimize: async () => (await import('./optimize.js')).optimizeCommand,
  quantize: async () => (await import('./quantize.js')).quantizeCommand,
  prune: async () => (await import('./prune.js')).pruneCommand,
  compare: async () => (await import('./compare.js')).compareCommand,
  benchmark: async () => (await import('./benchmark.js')).benchmarkCommand,
  cost: async () => (await import('./cost.js')).costCommand,
  dev: async () => (await import('./dev.js')).devCommand,
};

/** Runs a command line and sets the exit code: 0 fine, 1 an error that was explained, 130 interrupted. */
export async function main(argv: readonly string[]): Promise<void> {
  const controller = new AbortController();
  const interrupt = (name: NodeJS.Signals) => {
    controller.abort(new Interrupted(name));
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  // Whoever read our output has gone, as `head` does: stop as if interrupted, and leave nothing running.
  process.stdout.on('error', () => interrupt('SIGPIPE'));
  try {
    process.exitCode = await dispatch(argv, controller.signal);
  } catch (error) {
    if (controller.signal.aborted) {
      process.stderr.write('Interrupted; nothing half-written was left behind.\n');
      process.exitCode = 130;
    } else {
      report(error, argv.includes('--json'));
      process.exitCode = 1;
    }
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

class Interrupted extends Error {
  constructor(name: string) {
    super(`interrupted by ${name}`);
    this.name = 'Interrupted';
  }
}

async function dispatch(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const [name, ...rest] = argv;
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${toolVersion().package}\n`);
    return 0;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(await overview());
    return name === undefined ? 1 : 0;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) {
    process.stderr.write(`cdk-onnx has no command '${name}'.\n\n${await overview()}`);
    return 1;
  }
  const command = await load();
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(helpText(command));
    return 0;
  }
  return await command.run({ ...parseCommandLine(command, rest), signal });
}

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    'cdk-onnx: a trained model in, an HTTPS prediction endpoint out.',
    '',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'Run `cdk-onnx <command> --help` for its options.',
    '',
  ].join('\n');
}

function report(error: unknown, asJson: boolean): void {
  if (error instanceof CdkOnnxError) {
    const { code, advice } = error;
    // Names out of a model file may hold what moves a terminal's cursor.
    const message = error.message.split('\n').map(printable).join('\n');
    process.stderr.write(
      asJson ? `${JSON.stringify({ error: message, code, advice })}\n` : `${code}: ${message}\n${advice}\n`,
    );
    return;
  }
  // Not one of ours: a fault of cdk-onnx, so the stack is what a report needs.
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
}
