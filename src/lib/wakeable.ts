import type { Logger } from '../log.ts';

/**
 * Does `work` when woken and at least every `restMs`, never twice at a time. A wake-up during the work makes it run once
 * more. An error is logged and waited out; it never ends the loop.
 */
export class Wakeable {
  readonly #name: string;
  readonly #restMs: () => number;
  readonly #work: () => Promise<void>;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #woken = false;
  #stopped = false;

  constructor(name: string, restMs: number | (() => number), work: () => Promise<void>, log: Logger) {
    this.#name = name;
    this.#restMs = typeof restMs === 'number' ? () => restMs : restMs;
    this.#work = work;
    this.#log = log;
  }

  start(): void {
    this.wake();
  }

  wake(): void {
    this.#woken = true;
    if (this.#running === undefined && !this.#stopped) this.#running = this.#run();
  }

  /** Resolves when the work under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    let failed = false;
    while (this.#woken && !this.#stopped && !failed) {
      this.#woken = false;
      try {
        await this.#work();
      } catch (error) {
        failed = true;
        this.#log.warn({ err: error }, `${this.#name} failed and will be tried again`);
      }
    }
    this.#running = undefined;
    if (this.#stopped) return;
    // With jitter, so that many services do not come at once.
    this.#timer = setTimeout(() => this.wake(), this.#restMs() * (0.9 + Math.random() * 0.2));
  }
}
