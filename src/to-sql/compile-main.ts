/** The thread that compiles one model: a file may be made to take for ever, and nobody else is to wait for it. */
import { readlinkSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { compiled, type CompileRequest, type CompileStep } from './compiled.ts';

parentPort?.once('message', (request: CompileRequest) => {
  parentPort?.postMessage({ task: thisThread() } satisfies CompileStep);
  for (const step of compiled(request)) parentPort?.postMessage(step satisfies CompileStep);
});

/** What the kernel calls this thread; empty where it does not say. */
function thisThread(): string {
  try {
    return readlinkSync('/proc/thread-self');
  } catch {
    return '';
  }
}
