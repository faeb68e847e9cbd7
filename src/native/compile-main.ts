/** The thread that compiles one model: a file may be made to take for ever, and nobody else is to wait for it. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Signature } from '../model/signature.ts';
import { compiled } from './compiled.ts';

const { bytes, signature } = workerData as { bytes: Uint8Array; signature: Signature };

parentPort?.postMessage(compiled(bytes, signature));
