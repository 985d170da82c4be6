/** What other people serve ONNX models with, in Python environments of their own. */
import { MLSERVER } from '../../test/support/mlserver.js';
import { pythonWith } from '../../test/support/python-environment.js';
import type { SuiteContext } from '../suite.js';

const ONNXRUNTIME = 'onnxruntime==1.30.0';

export const PEERS = {
  fastapi: ['fastapi==0.165.0', 'uvicorn[standard]==0.54.0', 'mangum==0.22.0', ONNXRUNTIME, 'numpy==2.4.6'],
  mlserver: MLSERVER,
} as const;

/** The interpreter of a peer's environment; undefined, with a note, where it cannot be made. */
export function pythonOf(peer: keyof typeof PEERS, note: SuiteContext['note']): string | undefined {
  try {
    return pythonWith(PEERS[peer]);
  } catch (error) {
    note(`no ${peer} here: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
