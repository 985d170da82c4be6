/** How often something is measured that other programs and the garbage collector only ever add to. */
const TIMES = 2;

/** The least of several measurements. @param isEnough what ends them early; default: nothing */
export async function leastOf(
  measure: () => number | Promise<number>,
  isEnough: (least: number) => boolean = () => false,
): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let time = 0; time < TIMES && !isEnough(least); time++) least = Math.min(least, await measure());
  return least;
}
