/** Runs `make` once and hands out its promise, whatever later arguments; a rejection is forgotten, so that the next call tries again. */
export function memoizedUntilRejected<A extends readonly unknown[], T>(
  make: (...given: A) => Promise<T>,
): (...given: A) => Promise<T> {
  let pending: Promise<T> | undefined;
  return (...given) => {
    pending ??= make(...given).catch((error: unknown) => {
      pending = undefined;
      throw error;
    });
    return pending;
  };
}
