/** The thread that compiles one model: a file may be made to take for ever, and nobody else is to wait for it. */
import { readFileSync, readlinkSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { compiled, type CompileStep } from './compile.ts';
import type { CompileRequest } from './compile-thread.ts';

parentPort?.once('message', ({ path, ...request }: CompileRequest) => {
  parentPort?.postMessage({ task: thisThread() } satisfies CompileStep);
  for (const step of compiled({ ...request, bytes: readFileSync(path) }))
    parentPort?.postMessage(step satisfies CompileStep);
});

/** What the kernel calls this thread; empty where it does not say. */
function thisThread(): string {
  try {
    return readlinkSync('/proc/thread-self');
  } catch {
    return '';
  }
}
