/** The thread that compiles one model: a file may be made to take for ever, and nobody else is to wait for it. */
import { parentPort } from 'node:worker_threads';
import { compiled, type CompileRequest, type CompileStep } from './compiled.ts';

parentPort?.once('message', (request: CompileRequest) => {
  for (const step of compiled(request)) parentPort?.postMessage(step satisfies CompileStep);
});
