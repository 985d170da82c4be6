/** One line of JSON per entry, as CloudWatch Logs Insights reads it. */
export function log(
  level: 'INFO' | 'WARN' | 'ERROR',
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): void {
  process.stdout.write(`${JSON.stringify({ level, message, ...details })}\n`);
}

const MAX_CAUSES = 5;
const MAX_STACK_LINES = 12;

/** An error with all that its readers in the log need; callers never see the stack. */
export function errorDetails(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { errorMessage: String(error) };
  const { code, advice } = error as { readonly code?: unknown; readonly advice?: unknown };
  const causes: string[] = [];
  for (let { cause } = error; cause !== undefined && causes.length < MAX_CAUSES; ) {
    causes.push(String(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return {
    errorType: error.name,
    errorMessage: error.message,
    code,
    advice,
    causes: causes.length === 0 ? undefined : causes,
    stack: error.stack?.split('\n').slice(1, MAX_STACK_LINES),
  };
}
