/** @param programs Name in `folder`, without its extension, to the path of a source in this repository. */
export function bundleCommands(folder: string, programs: Readonly<Record<string, string>>): Promise<void>;
