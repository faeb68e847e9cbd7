import { Worker } from 'node:worker_threads';
import { programFile } from '../lib/package-file.ts';
import { limitWork, type Task } from '../lib/work-time.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import type { Compiled, CompileStep, ToCompile } from './compile.ts';
import { columnsOf, renameColumns } from '../inference/match-columns.ts';
import type { Signature } from '../inference/signature.ts';

/** The thread reads the graph from its file. */
export type CompileRequest = Omit<ToCompile, 'bytes'> & { readonly path: string };

const MAIN = programFile('to-sql/compile-main');

/** `cpuMs` is CPU time of the thread. */
type Limits = { readonly cpuMs: number; readonly heapMb: number };

const LIMITS: Limits = { cpuMs: 30_000, heapMb: 1024 };

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
  #end: (compiled: Compiled) => void = () => undefined;
  #liftLimit: () => void = () => undefined;

  constructor(limits: Limits = LIMITS) {
    this.#limits = limits;
    this.#thread = new Worker(MAIN, { resourceLimits: { maxOldGenerationSizeMb: limits.heapMb }, env: {} });
    this.compiled = new Promise((resolve) => {
      this.#end = resolve;
    });
    let tellRows: (rows: readonly JsonRow[] | null) => void = () => undefined;
    this.rows = new Promise((resolve) => {
      tellRows = resolve;
    });
    void this.compiled.then(() => tellRows(null));
    this.#thread.on('message', (message: CompileStep) => {
      if ('task' in message) this.#limitWork(message.task);
      else if ('rows' in message) tellRows(message.rows);
      else this.#end(message);
    });
    this.#thread.on('error', (error) => this.#end({ refusal: `compiling it failed: ${error.message}` }));
    this.#thread.on('exit', () => this.#end({ refusal: 'compiling it was broken off' }));
  }

  compile(request: CompileRequest): void {
    this.#thread.postMessage(request);
  }

  async stop(): Promise<void> {
    this.#liftLimit();
    await this.#thread.terminate();
  }

  #limitWork(task: Task): void {
    const { cpuMs } = this.#limits;
    this.#liftLimit = limitWork(task, cpuMs, (starved) => {
      this.#end({ refusal: `compiling it took longer than ${cpuMs / 1000} s of CPU time`, transient: starved });
      void this.stop();
    });
  }
}

/** Those where a function may go wrong are 2,000 mostly. */
const MOST_GIVEN = 1000;

/**
 * Of rows that came with the framework's predictions those to prove a compiled function on: at even distances where they are many, and
 * by the names of the features.
 * @throws PgscoreError feature_column_missing where they lack a feature
 */
export function givenRows({ features }: Signature, rows: readonly JsonRow[]): JsonRow[] {
  if (rows.length === 0) return [];
  const renamed = renameColumns(features, columnsOf(rows));
  const step = Math.max(1, rows.length / MOST_GIVEN);
  return Array.from({ length: Math.min(rows.length, MOST_GIVEN) }, (_, index) =>
    renamed(rows[Math.floor(index * step)] ?? {}),
  );
}
