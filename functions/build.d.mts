export function buildFunctions(options: { readonly outputDirectory: string }): Promise<void>;
