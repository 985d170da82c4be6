/**
 * The items of one cycle, each followed by one that it depends on; empty if there is none. Dependencies must be items themselves.
 * Time and memory are linear, and nothing recurses: a hostile file can make the chain as long as it likes.
 */
export function findCycle<T>(items: readonly T[], dependenciesOf: (item: T) => Iterable<T>): T[] {
  const dependencies = new Map<T, Set<T>>();
  const dependents = new Map<T, T[]>();
  for (const item of items) {
    const needed = new Set(dependenciesOf(item));
    dependencies.set(item, needed);
    for (const other of needed) {
      const list = dependents.get(other);
      if (list === undefined) dependents.set(other, [item]);
      else list.push(item);
    }
  }
  const ready = items.filter((item) => dependencies.get(item)?.size === 0);
  for (let done = ready.pop(); done !== undefined; done = ready.pop()) {
    dependencies.delete(done);
    for (const dependent of dependents.get(done) ?? []) {
      const needed = dependencies.get(dependent);
      needed?.delete(done);
      if (needed?.size === 0) ready.push(dependent);
    }
  }
  // Each item that is left depends on another one that is left: following them comes back to one already passed.
  const path = new Set<T>();
  let [item] = dependencies.keys();
  while (item !== undefined && !path.has(item)) {
    path.add(item);
    [item] = dependencies.get(item) ?? [];
  }
  if (item === undefined) return [];
  const passed = [...path];
  return passed.slice(passed.indexOf(item));
}
