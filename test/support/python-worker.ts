/** A Python script in a process of its own, whose functions a test calls one after the other. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

type Answer = { readonly result: unknown } | { readonly error: string };

export class PythonWorker {
  private readonly child: ChildProcess;
  private readonly waiting: { resolve(result: unknown): void; reject(error: Error): void }[] = [];
  private errors = '';

  /** @param python path of the interpreter @param script path of the file with the functions */
  constructor(python: string, script: string) {
    const child = spawn(python, [join(import.meta.dirname, 'python_worker.py'), script], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, PYTHONDONTWRITEBYTECODE: '1' },
    });
    createInterface({ input: child.stdout }).on('line', (line) => this.settle(JSON.parse(line)));
    child.stderr.on('data', (chunk) => (this.errors += chunk));
    child.on('exit', (code, signal) => {
      for (const { reject } of this.waiting.splice(0))
        reject(new Error(`python ended (${code ?? signal}):\n${this.errors}`));
    });
    this.child = child;
  }

  /** Names and types of the arguments are the script's. @throws Error with Python's traceback */
  call(name: string, values: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.child.exitCode !== null) return reject(new Error(`python had ended:\n${this.errors}`));
      this.waiting.push({ resolve, reject });
      this.child.stdin?.write(`${JSON.stringify({ function: name, arguments: values })}\n`);
    });
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.stdin?.end();
    await exited;
  }

  private settle(answer: Answer): void {
    const waiter = this.waiting.shift();
    if ('error' in answer) waiter?.reject(new Error(answer.error));
    else waiter?.resolve(answer.result);
  }
}
