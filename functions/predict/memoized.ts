/** Runs `make` once and hands out its promise; a rejection is forgotten, so that the next call tries again. */
export function memoizedUntilRejected<T>(make: () => Promise<T>): () => Promise<T> {
  let pending: Promise<T> | undefined;
  return () => {
    pending ??= make().catch((error: unknown) => {
      pending = undefined;
      throw error;
    });
    return pending;
  };
}
