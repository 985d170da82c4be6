export function writeSlimRuntime(options: {
  readonly platform: string;
  readonly nodeArchitecture: string;
  readonly outputDirectory: string;
}): Promise<void>;
