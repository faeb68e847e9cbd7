/**
 * The probe process: on stdin the options of a deploy and, once the model is checked, rows to score; on descriptor 3 its verdict.
 * It reads the model from one file, and writes the graph to serve to another. Its argument is its parent's pid.
 */
import { readFileSync } from 'node:fs';
import { errorParts } from '../errors.ts';
import { endWithParent } from '../lib/child-process.ts';
import type { JsonRow } from '../inference/json-rows.ts';
import { checkModel, type ProbeOptions, type CheckedModel } from './check-model.ts';
import {
  frameOf,
  readFrames,
  writeAll,
  MODEL_DESCRIPTOR,
  SERVED_DESCRIPTOR,
  VERDICT_DESCRIPTOR,
  type Asked,
  type Verdict,
} from './probe-messages.ts';
import { refuseFullDisk } from '../onnx/model-folder.ts';

// ONNX Runtime blocks this thread, for ever where a model never ends.
endWithParent(Number(process.argv[2]));

const frames = readFrames<object>(process.stdin);
const options = await next<ProbeOptions>();
if (options !== undefined) tell(await judge(options));
process.exit(0);

async function next<Message extends object>(): Promise<Message | undefined> {
  const { value } = await frames.next();
  return value as Message | undefined;
}

async function judge(request: ProbeOptions): Promise<Verdict> {
  try {
    const { signature: _, served: __, ...report } = await checkModel(readFileSync(MODEL_DESCRIPTOR), request, rowsFor);
    return { report };
  } catch (error) {
    return { refusal: errorParts(error) };
  }
}

async function rowsFor({ served, ...checked }: CheckedModel): Promise<readonly JsonRow[] | null> {
  if (served !== null) writeServed(served);
  tell({ checked, changed: served !== null });
  const asked = await next<Asked>();
  return asked?.rows ?? null;
}

function writeServed(bytes: Uint8Array): void {
  try {
    writeAll(SERVED_DESCRIPTOR, bytes);
  } catch (error) {
    refuseFullDisk(error);
  }
}

function tell(verdict: Verdict): void {
  writeAll(VERDICT_DESCRIPTOR, frameOf(verdict));
}
