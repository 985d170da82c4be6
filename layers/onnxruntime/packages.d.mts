export declare const PLATFORMS: readonly string[];
export function packageFolder(target: string): string;
