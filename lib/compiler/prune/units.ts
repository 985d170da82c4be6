/** Sets of indices that can only be removed together, joined as operators tie them; and why some cannot be removed at all. */

export class Units {
  #parents: number[] = [];
  readonly #reasons = new Map<number, string>();
  readonly #heads = new Set<number>();

  /** `count` new units, each on its own. */
  create(count: number): Int32Array {
    const start = this.#parents.length;
    const ids = new Int32Array(count);
    for (let index = 0; index < count; index++) {
      ids[index] = start + index;
      this.#parents.push(start + index);
    }
    return ids;
  }

  /** The unit that stands for all that `id` was joined with. */
  find(id: number): number {
    let root = id;
    for (let parent = this.#parents[root]; parent !== undefined && parent !== root; parent = this.#parents[root]) {
      root = parent;
    }
    for (let at = id; at !== root; ) {
      const parent = this.#parents[at] ?? root;
      this.#parents[at] = root;
      at = parent;
    }
    return root;
  }

  join(a: number, b: number): void {
    const [x, y] = [this.find(a), this.find(b)];
    if (x === y) return;
    // The older one stays, so that a group's units keep the order in which its first weights were seen.
    const [root, child] = x < y ? [x, y] : [y, x];
    this.#parents[child] = root;
    const reason = this.#reasons.get(child);
    if (reason !== undefined && !this.#reasons.has(root)) this.#reasons.set(root, reason);
    if (this.#heads.has(child)) this.#heads.add(root);
  }

  /** What `ids` stand for stays in the graph. The first reason is kept. */
  block(ids: Iterable<number>, reason: string): void {
    for (const id of ids) {
      const root = this.find(id);
      if (!this.#reasons.has(root)) this.#reasons.set(root, reason);
    }
  }

  /** Why a unit cannot be removed; undefined where it can. */
  reason(id: number): string | undefined {
    return this.#reasons.get(this.find(id));
  }

  /** Marks units as the outer part of an axis that is split in two: attention heads. */
  markHeads(ids: Iterable<number>): void {
    for (const id of ids) this.#heads.add(this.find(id));
  }

  isHead(id: number): boolean {
    return this.#heads.has(this.find(id));
  }
}
