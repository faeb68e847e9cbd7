import { spawn, type ChildProcess, type Serializable, type SpawnOptions } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import { programFile } from './package-file.ts';
import { backoff } from './retry.ts';

type ProgramOptions = {
  /** All of its environment. */
  readonly env: NodeJS.ProcessEnv;
  readonly arguments?: readonly string[];
};

/** A program of ours in a process of its own. Nothing but SIGKILL ends one that hangs in a native call. */
class Program {
  /** Resolves with the signal, the exit code, or why it did not start. */
  readonly exited: Promise<string>;
  protected readonly child: ChildProcess;

  /** `program` is its path in src, without an extension. */
  constructor(
    program: string,
    { env, arguments: given = [] }: ProgramOptions,
    v8Flags: readonly string[],
    how: SpawnOptions,
  ) {
    this.child = spawn(process.execPath, [...v8Flags, programFile(program), ...given], { ...how, env });
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
      this.child.on('error', (error) => {
        if (this.child.pid === undefined) resolve(error.message);
      });
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

type ChildOptions<Received> = ProgramOptions & {
  readonly v8Flags: readonly string[];
  /** Messages hold bytes and typed arrays. */
  readonly binary?: boolean;
  /**
   * In a session of its own, so that it can yield to the processes of this one. Ctrl-C in a terminal does not reach it: it ends with
   * its parent.
   */
  readonly ownSession?: boolean;
  readonly onMessage: (message: Received) => void;
};

/**
 * Linux first divides processors among sessions (see autogroup in sched(7)), and only within one by the priorities of processes. This
 * gives a session a tenth of what others have: with 19, the least, a process may not even start on a busy machine.
 */
const AUTOGROUP_NICE = 10;
/** Linux lets a process without privileges change one session in a tenth of a second. */
const AUTOGROUP_RETRY_MS = 150;

/** One with messages both ways. */
export class ChildProgram<Sent extends Serializable, Received> extends Program {
  readonly #ownSession: boolean;

  constructor(program: string, { v8Flags, binary, ownSession = false, onMessage, ...options }: ChildOptions<Received>) {
    super(program, options, v8Flags, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: binary === true ? 'advanced' : 'json',
      detached: ownSession,
    });
    this.#ownSession = ownSession;
    this.child.on('message', (message) => onMessage(message as Received));
  }

  /** Takes the processor only where others leave some of it, from now on: no process gets a higher priority back. */
  yieldToOthers(): void {
    const { pid } = this;
    if (pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null) return;
    try {
      setPriority(pid, constants.priority.PRIORITY_LOW);
      if (this.#ownSession) writeFileSync(`/proc/${pid}/autogroup`, String(AUTOGROUP_NICE));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EAGAIN')
        setTimeout(() => this.yieldToOthers(), AUTOGROUP_RETRY_MS).unref();
      // Else it has just ended, or the system has no groups of sessions.
    }
  }

  /** One that is gone hears nothing. */
  send(message: Sent): void {
    if (this.child.connected) this.child.send(message, () => undefined);
  }
}

/**
 * One that is not trusted: it reads what it is asked from its standard input, and writes what it answers to descriptor 3. The files
 * that it is given have the descriptors from 4 on.
 */
export class PipedProgram extends Program {
  constructor(program: string, directory: string, files: readonly number[], options: ProgramOptions) {
    super(program, options, [], { cwd: directory, stdio: ['pipe', 'ignore', 'pipe', 'pipe', ...files] });
  }

  get request(): Writable {
    return this.child.stdio[0] as Writable;
  }

  get answer(): Readable {
    return this.child.stdio[3] as Readable;
  }

  /** What it writes to standard error. */
  get lastWords(): Readable {
    return this.child.stdio[2] as Readable;
  }
}

/** Ends this process when its parent is gone, even while a model that never ends blocks its thread. */
export function endWithParent(pid: number): void {
  new Worker(programFile('lib/parent-watch-main'), { workerData: pid }).unref();
}

/** Hears what the parent of a ChildProgram sends, and ends this process when the parent has. */
export function listenToParent<Message>(onMessage: (message: Message) => void): void {
  process.on('message', (message) => onMessage(message as Message));
  process.on('disconnect', () => process.exit(0));
  // A terminal sends Ctrl-C, and systemd SIGTERM, to the whole group; the parent decides when this process ends.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => undefined);
}

/** A parent that is gone hears nothing. */
export function tellParent(message: Serializable, onSent: () => void = () => undefined): void {
  process.send?.(message, undefined, undefined, onSent);
}

/** A message to the parent, which logs it. */
export type Warning = { readonly type: 'warning'; readonly message: string; readonly reason: string };

export function warningOf(message: string, error: unknown): Warning {
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { type: 'warning', message, reason };
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
