/** The probe process: one framed model on stdin, one framed verdict on descriptor 3. Its argument is its parent's pid. */
import { Worker } from 'node:worker_threads';
import { toPgscoreError } from '../errors.ts';
import { programFile } from '../lib/package-file.ts';
import { checkModel } from './check-model.ts';
import type { ProbeOptions } from './check-model.ts';
import { parseFrame, writeFrame } from './frame.ts';
import type { Frame } from './frame.ts';
import type { Verdict } from './verdict.ts';

const VERDICT_DESCRIPTOR = 3;

// ONNX Runtime blocks this thread, for ever where a model never ends: another one must see that the parent is gone.
new Worker(programFile('lib/parent-watch'), { workerData: Number(process.argv[2]) }).unref();

const request = await readRequest();
if (request !== undefined) writeFrame(VERDICT_DESCRIPTOR, await judge(request));
process.exit(0);

async function readRequest(): Promise<Frame<ProbeOptions> | undefined> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return parseFrame<ProbeOptions>(chunks);
}

async function judge({ head, body }: Frame<ProbeOptions>): Promise<Frame<Verdict>> {
  try {
    const { served, ...report } = await checkModel(body, head);
    return { head: { report, size: served?.length ?? null }, body: served ?? new Uint8Array(0) };
  } catch (error) {
    const { code, message, remedy } = toPgscoreError(error);
    return { head: { refusal: { code, message, remedy } }, body: new Uint8Array(0) };
  }
}
