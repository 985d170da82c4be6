import { Architecture } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { SynthesisError } from '../errors.js';

/** AWS's names of the two architectures that Lambda runs. */
export type ArchitectureName = 'arm64' | 'x86_64';

/** Context that gives constructs without an `architecture` theirs; `cdk-onnx dev` sets it to the machine it runs on. */
export const ARCHITECTURE_CONTEXT = 'cdk-onnx:architecture';

/**
 * The architecture of a function: what its properties say, else what the context says, else arm64, which costs a fifth less.
 *
 * @throws SynthesisError `ARCHITECTURE_UNKNOWN`
 */
export function chooseArchitecture(scope: Construct, architecture: Architecture | undefined): Architecture {
  if (architecture !== undefined) return fromName(architecture.name);
  const context: unknown = scope.node.tryGetContext(ARCHITECTURE_CONTEXT);
  return context === undefined ? Architecture.ARM_64 : fromName(String(context));
}

export function architectureName(architecture: Architecture): ArchitectureName {
  return architecture.name === Architecture.X86_64.name ? 'x86_64' : 'arm64';
}

function fromName(name: string): Architecture {
  if (name === 'arm64') return Architecture.ARM_64;
  if (name === 'x86_64') return Architecture.X86_64;
  throw new SynthesisError({
    code: 'ARCHITECTURE_UNKNOWN',
    message: `'${name}' is no architecture that Lambda runs.`,
    advice: `Use Architecture.ARM_64 or Architecture.X86_64; in the context '${ARCHITECTURE_CONTEXT}' arm64 or x86_64.`,
  });
}
