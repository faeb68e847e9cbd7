import { fork, type ChildProcess, type Serializable } from 'node:child_process';
import { programFile } from './package-file.ts';
import { backoff } from './retry.ts';

export type ChildOptions<Received> = {
  /** All of its environment. */
  readonly env: NodeJS.ProcessEnv;
  readonly arguments?: readonly string[];
  readonly v8Flags: readonly string[];
  /** Messages hold bytes and typed arrays. */
  readonly binary?: boolean;
  readonly onMessage: (message: Received) => void;
};

/** A program of ours in a process of its own, with messages both ways. Nothing but SIGKILL ends one that hangs in a native call. */
export class ChildProgram<Sent extends Serializable, Received> {
  /** Resolves with the signal, the exit code, or why it did not start. */
  readonly exited: Promise<string>;
  readonly #child: ChildProcess;

  /** `program` is its path in src, without an extension. */
  constructor(program: string, { env, arguments: given = [], v8Flags, binary, onMessage }: ChildOptions<Received>) {
    this.#child = fork(programFile(program), given, {
      env,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: binary === true ? 'advanced' : 'json',
      execArgv: [...v8Flags],
    });
    this.#child.on('message', (message) => onMessage(message as Received));
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
      this.#child.on('error', (error) => {
        if (this.#child.pid === undefined) resolve(error.message);
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** One that is gone hears nothing. */
  send(message: Sent): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

const SHORT_LIFE_MS = 5000;

/** How long to wait before a program is started again: the longer, the more often it ended as soon as it was started. */
export class RestartDelay {
  #born = 0;
  #shortLives = 0;

  started(): void {
    this.#born = performance.now();
  }

  /** Milliseconds, where it has just ended; 0 after a long life, and after the first short one. */
  ended(): number {
    this.#shortLives = performance.now() - this.#born < SHORT_LIFE_MS ? this.#shortLives + 1 : 0;
    return this.#shortLives > 1 ? backoff(this.#shortLives, 200, 10_000) : 0;
  }
}
