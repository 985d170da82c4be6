export type SetName = 'calibration' | 'evaluation' | 'holdout';

export const SETS: Readonly<
  Record<SetName, { readonly photos: readonly string[]; readonly scenes: number; readonly seed: number }>
>;

/** Writes the pictures of a set, those of each photo into a folder of its name. */
export function composeSet(name: SetName, folder: string): Promise<void>;
