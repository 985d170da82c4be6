/** The cheapest way to part a network in two: Dinic's algorithm for the largest flow, which is as large as the smallest cut. */

/** Stands in for a capacity that no cut may pay: larger than all others together. */
export const UNCUTTABLE = 2 ** 50;

/** Capacities are whole numbers whose sum, without UNCUTTABLE, stays below it: then every step is exact. */
export class FlowNetwork {
  readonly source = 0;
  readonly sink = 1;
  /** Edges in pairs, an edge and its reverse: `edge ^ 1` is the other one. */
  readonly #to: number[] = [];
  readonly #capacity: number[] = [];
  readonly #edges: number[][] = [[], []];

  addNode(): number {
    this.#edges.push([]);
    return this.#edges.length - 1;
  }

  /** Paid where `from` lies on the source's side and `to` on the sink's. */
  addEdge(from: number, to: number, capacity: number): void {
    if (from === to || capacity === 0) return;
    for (const [a, b, c] of [
      [from, to, capacity],
      [to, from, 0],
    ] as const) {
      this.#edges[a]?.push(this.#to.length);
      this.#to.push(b);
      this.#capacity.push(c);
    }
  }

  /** Of the cheapest cuts the one with the fewest nodes on the source's side: for each node whether it lies there. */
  sourceSide(): boolean[] {
    for (let levels = this.#levels(); (levels[this.sink] ?? -1) >= 0; levels = this.#levels()) this.#saturate(levels);
    return this.#levels().map((level) => level >= 0);
  }

  /** Steps from the source over edges that can take more; -1 where there is no way. */
  #levels(): number[] {
    const levels = new Array<number>(this.#edges.length).fill(-1);
    levels[this.source] = 0;
    const queue = [this.source];
    for (const node of queue) {
      for (const edge of this.#edges[node] ?? []) {
        const next = this.#to[edge] as number;
        if (levels[next] !== -1 || this.#capacity[edge] === 0) continue;
        levels[next] = (levels[node] as number) + 1;
        queue.push(next);
      }
    }
    return levels;
  }

  /** Fills every shortest way. With an explicit path: networks are deeper than the call stack. */
  #saturate(levels: readonly number[]): void {
    const next = new Array<number>(this.#edges.length).fill(0);
    const path: number[] = [];
    for (let node: number = this.source; ; ) {
      if (node === this.sink) {
        this.#push(path);
        path.length = 0;
        node = this.source;
        continue;
      }
      const edge = this.#edges[node]?.[next[node] as number];
      if (edge === undefined) {
        const last = path.pop();
        if (last === undefined) return;
        node = this.#to[last ^ 1] as number;
        next[node] = (next[node] as number) + 1;
      } else if (this.#capacity[edge] !== 0 && levels[this.#to[edge] as number] === (levels[node] as number) + 1) {
        path.push(edge);
        node = this.#to[edge] as number;
      } else next[node] = (next[node] as number) + 1;
    }
  }

  #push(path: readonly number[]): void {
    const amount = Math.min(...path.map((edge) => this.#capacity[edge] as number));
    for (const edge of path) {
      this.#capacity[edge] = (this.#capacity[edge] as number) - amount;
      this.#capacity[edge ^ 1] = (this.#capacity[edge ^ 1] as number) + amount;
    }
  }
}
