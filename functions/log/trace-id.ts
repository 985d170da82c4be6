/** `Root=1-…;Parent=…;Sampled=1`, as Lambda sets it for each invocation: the trace's own id. */
export function traceId(variable: string | undefined): string | undefined {
  return /(?:^|;)Root=(1-[\da-f]{8}-[\da-f]{24})(?:;|$)/.exec(variable ?? '')?.[1];
}
