/** Which recorded array belongs to which value of a model: frameworks add numbers of outputs to names, and converters drop them. */

/**
 * By name; else without TensorFlow's ':0'; else, where one of each is left, these two.
 * @returns the model's name for each recorded one that has a counterpart
 */
export function matchNames(recorded: readonly string[], wanted: readonly string[]): Map<string, string> {
  const matched = new Map<string, string>();
  const free = new Set(wanted);
  const match = (name: string, other: string | undefined) => {
    if (other === undefined || matched.has(name)) return;
    matched.set(name, other);
    free.delete(other);
  };
  for (const name of recorded) match(name, free.has(name) ? name : undefined);
  for (const name of recorded)
    match(
      name,
      [...free].find((other) => withoutZero(other) === withoutZero(name)),
    );
  const [only, ...others] = recorded.filter((name) => !matched.has(name));
  const [last] = free;
  if (recorded.length === 1 && wanted.length === 1 && only !== undefined && others.length === 0) match(only, last);
  return matched;
}

function withoutZero(name: string): string {
  return name.replace(/:0$/, '');
}
