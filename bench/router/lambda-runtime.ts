/** Lambda's own runtime client on Lambda's Node.js, with Lambda's share of a CPU where a case asks for it. */
import { existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeCommand } from '../../lib/local/execution-environment.js';
import { layOutRuntimeClient } from '../../test/support/sandbox/runtime-client.js';
import { lambdaRuntimeClient } from '../lambda-runtime-client.js';
import { node24 } from '../node24.js';

export interface LambdaRuntime extends Disposable {
  /** @param handler `index.handler` by default */
  command(options: { readonly heapMiB: number; readonly share?: CpuShare; readonly handler?: string }): RuntimeCommand;
}

export function openLambdaRuntime(): LambdaRuntime {
  const folder = layOutRuntimeClient(lambdaRuntimeClient());
  const node = node24();
  return {
    command: ({ heapMiB, share, handler = 'index.handler' }) => {
      const client = [node, `--max-old-space-size=${heapMiB}`, join(folder, 'index.mjs'), handler];
      const [command = '', ...rest] = share === undefined ? client : share.enter(client);
      return { command, arguments: rest };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const CPU_GROUPS = '/sys/fs/cgroup/cpu';
/** As in the sandbox: one vCPU for so much memory. */
const MIB_PER_CPU = 1769;
const CPU_PERIOD_US = 20_000;

/** A control group with a function's share of a CPU. Needs root and control groups of version 1. */
export class CpuShare implements Disposable {
  private static count = 0;
  private readonly folder: string;

  /** @throws Error where this machine has no such groups */
  constructor(memoryMiB: number) {
    if (!existsSync(join(CPU_GROUPS, 'tasks'))) throw new Error('needs control groups of version 1');
    CpuShare.count += 1;
    this.folder = join(CPU_GROUPS, `cdk-onnx-bench-${process.pid}-${CpuShare.count}`);
    mkdirSync(this.folder);
    writeFileSync(join(this.folder, 'cpu.cfs_period_us'), String(CPU_PERIOD_US));
    writeFileSync(join(this.folder, 'cpu.cfs_quota_us'), String(Math.round((CPU_PERIOD_US * memoryMiB) / MIB_PER_CPU)));
  }

  /** A command that runs another one inside. */
  enter(command: readonly string[]): readonly string[] {
    return ['/bin/sh', '-c', `echo $$ > '${this.folder}/tasks' && exec "$@"`, 'sh', ...command];
  }

  [Symbol.dispose](): void {
    try {
      rmdirSync(this.folder);
    } catch {
      // Its last process is still on its way out.
    }
  }
}
