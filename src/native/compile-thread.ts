import { Worker } from 'node:worker_threads';
import { programFile } from '../lib/package-file.ts';
import type { JsonRow } from '../model/json-rows.ts';
import type { Compiled, CompileRequest, CompileStep } from './compiled.ts';

const MAIN = programFile('native/compile-main');

type Limits = { readonly timeMs: number; readonly heapMb: number };

const LIMITS: Limits = { timeMs: 30_000, heapMb: 1024 };

/**
 * A thread that compiles one model, once, with limits on time and memory: what goes past them is not compiled. It takes a moment
 * to start, and can be started before there is anything to compile.
 */
export class CompileThread {
  readonly compiled: Promise<Compiled>;
  /** Rows to prove it on; null for what is not compiled. */
  readonly rows: Promise<readonly JsonRow[] | null>;
  readonly #thread: Worker;
  readonly #limits: Limits;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: Limits = LIMITS) {
    this.#limits = limits;
    this.#thread = new Worker(MAIN, { resourceLimits: { maxOldGenerationSizeMb: limits.heapMb }, env: {} });
    this.compiled = new Promise((resolve) => {
      const refuse = (refusal: string): void => resolve({ refusal });
      this.#thread.on('message', (message: CompileStep) => {
        if (!('rows' in message)) resolve(message);
      });
      this.#thread.on('error', (error) => refuse(`compiling it failed: ${error.message}`));
      this.#thread.on('exit', () => refuse(`compiling it took longer than ${limits.timeMs / 1000} s`));
    });
    this.rows = new Promise((resolve) => {
      this.#thread.on('message', (message: CompileStep) => resolve('rows' in message ? message.rows : null));
      void this.compiled.then(() => resolve(null));
    });
  }

  compile(request: CompileRequest): void {
    this.#timer = setTimeout(() => void this.stop(), this.#limits.timeMs);
    this.#thread.postMessage(request);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#thread.terminate();
  }
}
