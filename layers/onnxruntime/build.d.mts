export function buildOnnxRuntimeLayer(options: {
  readonly architecture: 'arm64' | 'x86_64';
  readonly outputDirectory: string;
}): Promise<void>;
