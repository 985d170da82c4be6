/** The least of several measurements of something that other programs and the garbage collector only ever add to. */
export async function leastOf(times: number, measure: () => number | Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let time = 0; time < times; time++) least = Math.min(least, await measure());
  return least;
}
