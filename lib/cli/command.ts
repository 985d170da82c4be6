/** How a command describes itself, so that parsing, help and errors are the same for all. */
import { parseArgs } from 'node:util';
import { ConfigurationError } from '../errors.js';

export interface CommandOption {
  readonly type: 'string' | 'boolean';
  readonly description: string;
  /** Shown in help after a string option. */
  readonly placeholder?: string;
  readonly required?: boolean;
}

export interface CommandArguments {
  readonly positionals: readonly string[];
  /** Strings and booleans by option name; absent where not given. */
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  /** Fires on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** What stands before the options, for example `<model.onnx>`; words in <> are required. */
  readonly positionals: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  /** Resolves to the exit code. */
  run(args: CommandArguments): Promise<number>;
}

/** @throws ConfigurationError USAGE for unknown options, missing values, and too few or too many positionals */
export function parseCommandLine(command: Command, argv: readonly string[]): Omit<CommandArguments, 'signal'> {
  const required = command.positionals.match(/<[^>]+>/g)?.length ?? 0;
  const allowed = command.positionals.match(/[<[][^>\]]+[>\]]/g)?.length ?? 0;
  let parsed: ReturnType<typeof parseArgs>;
  try {
    const options = Object.fromEntries(Object.entries(command.options).map(([name, { type }]) => [name, { type }]));
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (cause) {
    throw usageError(command, cause instanceof Error ? cause.message : String(cause));
  }
  const { positionals, values } = parsed;
  if (positionals.length < required || positionals.length > allowed) {
    throw usageError(
      command,
      `${positionals.length} arguments given, ${required === allowed ? '' : 'at least '}${required} wanted`,
    );
  }
  for (const [name, option] of Object.entries(command.options)) {
    if (option.required === true && values[name] === undefined) throw usageError(command, `--${name} is missing`);
  }
  return { positionals, options: values as Readonly<Record<string, string | boolean | undefined>> };
}

export function usageError(command: Command, what: string): ConfigurationError {
  return new ConfigurationError({
    code: 'USAGE',
    message: `cdk-onnx ${command.name}: ${what}`,
    advice: `Usage: ${usage(command)}\nRun \`cdk-onnx ${command.name} --help\` for the options.`,
  });
}

export function usage(command: Command): string {
  return ['cdk-onnx', command.name, command.positionals, Object.keys(command.options).length > 0 ? '[options]' : '']
    .filter((part) => part !== '')
    .join(' ');
}

export function helpText(command: Command): string {
  const rows = Object.entries(command.options).map(([name, option]): [string, string] => [
    `--${name}${option.type === 'string' ? ` ${option.placeholder ?? 'VALUE'}` : ''}`,
    option.description,
  ]);
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return [
    command.summary,
    '',
    `  ${usage(command)}`,
    '',
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    '',
  ].join('\n');
}
