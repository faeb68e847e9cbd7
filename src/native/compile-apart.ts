import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { programFile } from '../lib/package-file.ts';
import type { Signature } from '../model/signature.ts';
import type { Compiled } from './compiled.ts';

const MAIN = programFile('native/compile-main');
const LIMIT_MS = 30_000;
const HEAP_MB = 1024;

/** Compiles a model in a thread of its own, with limits on time and memory; what goes past them is not compiled. */
export async function compileApart(bytes: Uint8Array, signature: Signature): Promise<Compiled> {
  const thread = new Worker(MAIN, {
    workerData: { bytes, signature },
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    env: {},
  });
  const timer = setTimeout(() => void thread.terminate(), LIMIT_MS);
  try {
    const [outcome] = (await Promise.race([once(thread, 'message'), once(thread, 'exit')])) as [Compiled | number];
    if (typeof outcome === 'object') return outcome;
    return { refusal: `compiling it took longer than ${LIMIT_MS / 1000} s` };
  } catch (error) {
    return { refusal: `compiling it failed: ${error instanceof Error ? error.message : String(error)}` };
  } finally {
    clearTimeout(timer);
    await thread.terminate();
  }
}
